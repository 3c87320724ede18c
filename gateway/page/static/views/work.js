// What is being done and what waits: work, failures, verdicts for a person, dead letters, lag and cost.

import { h } from "../dom.js";
import { count, said } from "../text.js";
import { to } from "../router.js";
import { heading, nothing, section } from "../parts.js";
import { dayBars } from "../charts/bars.js";

const tile = (name, value, note, state = "") => h("li", { class: `tile ${state}` }, h("span", { class: "tile-name" }, name), h("strong", {}, value), h("span", { class: "quiet" }, note));

export async function work({ memory }) {
  const [found, status] = await Promise.all([memory.work(), memory.status()]);
  const lag = found.lag_events ?? status.lag_events;
  const spent = Object.entries(status.spent_by_day).map(([date, one]) => ({ date, ...one })).slice(-30);
  return [
    heading("Work", `Position ${status.position}. An acknowledged message survives ${DURABILITY[status.durability] ?? "what Redis is set to"}.`),
    h("ul", { class: "tiles" },
      tile("Lag", lag === null || lag === undefined ? "–" : Number(lag).toLocaleString("en"), lag === null || lag === undefined ? "Redis is not running" : "events not folded yet", lag > 1000 ? "warn" : ""),
      tile("Due", status.jobs.due, Object.entries(status.jobs_by_kind).map(([kind, jobs]) => `${jobs.due} ${kind}`).join(", ")),
      tile("Failed", status.jobs.failed, status.jobs.failed ? "wait to be requeued" : "none", status.jobs.failed ? "bad" : ""),
      tile("Held verdicts", found.verdicts?.length ?? 0, found.verdicts?.length ? "wait for a person" : "none", found.verdicts?.length ? "warn" : ""),
      tile("Dead letters", status.dead_letters, status.dead_letters ? "could not be understood" : "none", status.dead_letters ? "bad" : ""),
      tile("Cost", `$${spent.reduce((sum, one) => sum + one.cost_usd, 0).toFixed(2)}`, `${count(spent.reduce((sum, one) => sum + one.tokens_in + one.tokens_out, 0), "token")}, ${count(spent.reduce((sum, one) => sum + one.calls, 0), "call")}`),
      tile("Writer", status.writer.renewed_s_ago === null ? "not running" : status.writer.host, status.writer.renewed_s_ago === null ? "start it with mnemolog up" : `renewed ${status.writer.renewed_s_ago} s ago`, status.writer.renewed_s_ago === null ? "warn" : "")),
    spent.some((one) => one.tokens_in + one.tokens_out) ? section("Tokens by day", dayBars(spent, (one) => one.tokens_in + one.tokens_out, (one) => `${one.date}: ${count(one.tokens_in + one.tokens_out, "token")}, $${one.cost_usd.toFixed(4)}`)) : null,
    section("Verdicts that wait for you", list(found.verdicts, verdict, "None."), found.verdicts?.length ? command("mnemolog verdicts approve") : null),
    section("Failed jobs", list(found.failed, job, "None."), found.failed?.length ? command("mnemolog jobs requeue --failed") : null),
    section("Due", list(found.due, job, "Everything is done.")),
    section("Dead letters", list(found.dead_letters, letter, "None."), found.dead_letters?.length ? command("mnemolog dead-letters requeue") : null),
  ];
}

const DURABILITY = { power: "a power cut", process: "the death of any process, not a power cut", nothing: "nothing: Redis keeps no append-only file" };

const list = (items, row, empty) => (items?.length ? h("ul", { class: "plain" }, items.map(row)) : nothing(empty));

const command = (line) => h("p", { class: "quiet" }, "On the command line: ", h("code", {}, line));

const verdict = (one) => h("li", {}, h("span", {}, one.ruling, one.kind ? ` (${one.kind})` : "", " about ", said(one.subject)),
  h("a", { href: to("facts", one.first) }, said(one.first_content, { most: 200 })), h("a", { href: to("facts", one.second) }, said(one.second_content, { most: 200 })));

const job = (one) => h("li", {}, h("span", {}, h("strong", {}, one.kind), ` ${one.job_key.slice(0, 12)}`, one.attempts ? `, ${count(one.attempts, "attempt")}` : ""), one.reason ? said(one.reason, { most: 300 }) : null);

const letter = (one) => h("li", {}, h("span", {}, h("strong", {}, one.reason), ` at ${one.position}`), said(one.detail, { most: 300 }));
