// A question, what answers it, and how much each arm of the search added.

import { h, replace } from "../dom.js";
import { day, said } from "../text.js";
import { to } from "../router.js";
import { heading, kindChip, nothing, section } from "../parts.js";
import { armBars } from "../charts/bars.js";

const ARMS = ["lexical", "vector", "phrase", "speaker", "answer", "date", "order", "time", "key", "linked"];

export async function search({ memory, given, at }) {
  const query = given.get("q") ?? "";
  if (!query.trim()) return [heading("Ask the memory", "Type a question above. Any text is a question, and nothing relevant is an answer.")];
  // Looking at a memory is no use of it: nothing is reinforced.
  const found = await memory.recall({ query, limit: 20, record: false });
  return [
    heading(said(query, { most: 200 }), `${found.results.length ? `${found.results.length} answers` : "Nothing relevant"} in ${Math.round(found.took_ms)} ms${at ? ", as of then" : ""}.`),
    found.results.length ? [legend(found.results), h("ol", { class: "rows results" }, found.results.map(result))] : nothing("Nothing in this memory answers it."),
    section("Something missing?", whyNot(memory, query)),
  ];
}

function result(one) {
  const isMessage = one.type === "episodic";
  return h("li", {}, h("a", { class: "row", href: to(isMessage ? "messages" : "facts", one.node_id), "data-row": true },
    h("span", { class: "row-main" }, said(one.content, { most: 500 }),
      h("span", { class: "row-meta" }, isMessage ? h("span", { class: "chip kind" }, "message") : kindChip(one.cell_type),
        isMessage ? h("span", {}, said(one.speaker ?? one.role), `, ${day(one.occurred_at)}`) : h("span", {}, `since ${day(one.since ?? one.valid_from)}`),
        one.replaced?.length ? h("span", { class: "quiet" }, "before that: ", said(one.replaced.at(-1).content, { most: 100 })) : null),
      armBars(one.scores, ARMS)),
    h("span", { class: "row-side" }, h("span", { class: "score" }, one.score.toFixed(2)))),
  h("details", { class: "scores" }, h("summary", {}, "Scores by arm"), h("table", {}, h("tbody", {}, Object.entries(one.scores).filter(([, value]) => Math.abs(value) > 0.00005)
    .map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value.toFixed(4))))))));
}

function legend(results) {
  const used = ARMS.filter((name) => results.some((one) => (one.scores[name] ?? 0) > 0.0005));
  return h("ul", { class: "legend" }, used.map((name) => h("li", {}, h("i", { class: `arm arm-${ARMS.indexOf(name)}` }), name)));
}

function whyNot(memory, query) {
  const input = h("input", { id: "missing", placeholder: "Mara works at Acme", required: true, autocomplete: "off" });
  const told = h("div", { "aria-live": "polite" });
  const ask = async (event) => {
    event.preventDefault();
    try {
      const answer = await memory.whyNot({ text: input.value.trim(), query });
      replace(told, reasons(answer));
    } catch (error) {
      replace(told, h("p", { class: "trouble" }, error.message));
    }
  };
  return h("form", { class: "inline", onsubmit: ask }, h("label", { for: "missing" }, "Why is this not among the answers?"), h("div", { class: "inline-row" }, input, h("button", { type: "submit", class: "secondary" }, "Why not")), told);
}

function reasons(answer) {
  return h("ul", { class: "plain after" }, answer.findings.map((one) => h("li", {},
    h("strong", {}, one.reason.replaceAll("_", " ")),
    one.content ? (one.node_id ? h("a", { href: to(one.kind === "message" ? "messages" : "facts", one.node_id) }, said(one.content, { most: 200 })) : said(one.content, { most: 200 })) : null,
    one.detail ? h("span", {}, said(one.detail, { most: 400 })) : null)));
}
