// One fact: what it says, how sure it is, what it was before, and where it comes from, down to the message.

import { h } from "../dom.js";
import { ago, count, day, moment, percent, quoted, said } from "../text.js";
import { to } from "../router.js";
import { button, fitted, kindChip, nothing, section, statusChip } from "../parts.js";
import { chainChart } from "../charts/chain.js";
import { curveChart } from "../charts/curve.js";
import { correct, decide, forget } from "../actions.js";

export async function fact({ memory, name, at, tell, refresh }) {
  const [story, curve] = await Promise.all([memory.why(name), memory.curve(name)]);
  const told = story.fact;
  const chain = story.chain.filter((one) => !at || Date.parse(one.valid_from) <= Date.parse(at));
  return [
    h("p", { class: "trail" }, h("a", { href: to("facts") }, "Facts"), told.scene ? [" / ", h("a", { href: to("scenes", told.scene) }, said(told.scene, { most: 60 }))] : null),
    h("div", { class: "heading" }, h("div", {}, h("h1", { class: "statement" }, said(told.content)), h("p", { class: "lead" }, standing(told)))),
    h("div", { class: "row-meta marks" }, kindChip(told.cell_type), statusChip(told.status), told.pinned ? h("span", { class: "chip pinned" }, "confirmed") : null,
      h("span", {}, "about ", h("a", { href: to("names", told.subject) }, said(told.subject))), told.stated_by ? h("span", {}, "said by ", said(told.stated_by)) : null,
      told.note ? h("span", {}, told.note) : null),
    at ? null : actionsFor(memory, told, tell, refresh),
    section("Where it comes from", h("ul", { class: "evidence" }, story.said.map(evidence)), story.said.length ? null : nothing("It was told to the memory itself.")),
    chain.length > 1 ? section("What it was, what it became", fitted("chain", (width) => chainChart(chain, told.node_id, width, at ? Date.parse(at) : Date.now()))) : null,
    section("How sure", fitted("curve", (width) => curveChart(curve, width))),
    decisions(story), extraction(story), answers(story),
    h("p", { class: "quiet id" }, told.node_id),
  ];
}

function standing(fact) {
  const begun = `Since ${day(fact.since)}`;
  if (fact.status === "live") return `${begun}, ${percent(fact.confidence_now)} sure.`;
  if (fact.status === "superseded") return `From ${day(fact.valid_from)} to ${day(fact.valid_until)}: something else took its place.`;
  if (fact.status === "ended") return `From ${day(fact.valid_from)} to ${day(fact.valid_until)}.`;
  return { faded: `${begun}. It has faded: nobody asked about it for long.`, forgotten: "Somebody asked to have it forgotten.", corrected: "A correction says that it never was so.", future: `From ${day(fact.valid_from)} on.` }[fact.status] ?? begun;
}

function actionsFor(memory, told, tell, refresh) {
  if (told.status === "forgotten" || told.status === "corrected") return null;
  return h("div", { class: "actions" },
    button("Correct…", () => correct(memory, told, tell, refresh), "secondary"),
    told.pinned ? button("Let it fade…", () => decide(memory, told, "unpin", tell, refresh), "secondary") : null,
    !told.pinned && told.status !== "superseded" ? button("Confirm…", () => decide(memory, told, "confirm", tell, refresh), "secondary") : null,
    told.status === "superseded" ? button("Still true…", () => decide(memory, told, "unsupersede", tell, refresh), "secondary") : null,
    button("Forget…", () => forget(memory, told, tell, refresh), "secondary quiet-danger"));
}

const evidence = (message) => h("li", {}, h("a", { class: "message", href: to("messages", message.node_id), "data-row": true },
  h("span", { class: "who" }, said(message.speaker ?? message.role), h("time", { datetime: message.occurred_at }, moment(message.occurred_at)), message.hidden ? h("span", { class: "chip status" }, "hidden") : null),
  quoted(message.content, message.quote)));

function decisions(story) {
  const items = [
    ...story.verdicts.map((verdict) => h("li", {},
      h("span", {}, verdict.judge === "person" ? "A person" : engineOf(verdict.conclusion), " judged: ", h("strong", {}, RULINGS[verdict.ruling] ?? verdict.ruling), verdict.kind ? ` (${verdict.kind})` : "", verdict.state === "in_force" ? "" : `, ${verdict.state.replace("_", " ")}`, `, ${moment(timeOf(verdict.position))}`),
      h("a", { href: to("facts", verdict.other) }, said(verdict.other_content, { most: 200 })))),
    ...story.requests.map((request) => h("li", {}, h("span", {}, `A person: ${request.kind}`, request.at ? `, ${moment(request.at)}` : ""), request.text ? said(request.text, { most: 300 }) : null)),
  ];
  return items.length ? section("Decisions", h("ul", { class: "plain" }, items)) : null;
}

const RULINGS = { same: "says the same", supersedes: "one takes the other's place", compatible: "both can be so", unsure: "not sure" };

const engineOf = (conclusion) => {
  const outcome = conclusion?.outcome;
  return outcome ? `${outcome.engine}${outcome.model ? ` (${outcome.model})` : ""}` : "An engine";
};

function extraction(story) {
  const found = story.extraction;
  if (!found) return null;
  const { outcome } = found;
  return section("Extracted by", h("dl", { class: "facts-of" },
    pair("Engine", engineOf(found)), pair("Recorded", moment(timeOf(outcome.position))), pair("Outcome", outcome.event_id),
    outcome.calls ? pair("Tokens", `${outcome.tokens_in.toLocaleString("en")} in, ${outcome.tokens_out.toLocaleString("en")} out, $${outcome.cost_usd.toFixed(4)}`) : null,
    pair("Took", `${found.took_ms} ms`)),
  found.raw ? h("details", {}, h("summary", {}, "Its reply"), h("pre", {}, said(found.raw))) : null);
}

const timeOf = (position) => Number(position.split("-")[0]);

const pair = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

function answers(story) {
  const used = story.reinforced.reduce((sum, one) => sum + one.times, 0);
  const recalls = story.recalls.slice(-8).reverse();
  if (!used && !recalls.length) return null;
  return section("Told in answers", used ? h("p", {}, `Used ${count(used, "time")}.`) : null,
    h("ul", { class: "plain" }, recalls.map((recall) => h("li", {}, h("span", {}, `${recall.kind}, ${ago(recall.asked_at)}`), recall.query ? said(recall.query, { most: 200 }) : null))));
}
