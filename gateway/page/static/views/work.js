// What is being done and what waits: work, failures, verdicts for a person, dead letters, lag and cost.

import { h } from "../dom.js";
import { count, said } from "../text.js";
import { to } from "../router.js";
import { heading, nothing, section } from "../parts.js";
import { dayBars } from "../charts/bars.js";

const tile = (name, value, note, state = "") => h("li", { class: `tile ${state}` }, h("span", { class: "tile-name" }, name), h("strong", {}, value), h("span", { class: "quiet" }, note));

export async function work({ memory }) {
  const [found, status] = await Promise.all([memory.work(), memory.status()]);
  const lag = found.lag_events;
  const due = Object.values(found.due).reduce((sum, one) => sum + one, 0);
  const spent = Object.entries(found.spent_by_day).map(([date, one]) => ({ date, ...one })).slice(-30);
  return [
    heading("Work", `Position ${status.position}. An acknowledged message survives ${DURABILITY[status.durability] ?? "what Redis is set to"}.`),
    h("ul", { class: "tiles" },
      tile("Lag", lag === null ? "–" : Number(lag).toLocaleString("en"), lag === null ? `Redis is ${found.redis}` : "events not folded yet", lag > 1000 ? "warn" : ""),
      tile("Due", due, due ? Object.entries(found.due).filter(([, one]) => one).map(([kind, one]) => `${one} ${kind}`).join(", ") : "all is done"),
      tile("Failed", found.failed, found.failed ? "wait to be requeued" : "none", found.failed ? "bad" : ""),
      tile("Held verdicts", found.held, found.held ? "wait for a person" : "none", found.held ? "warn" : ""),
      tile("Dead letters", found.dead_letters, found.dead_letters ? "could not be understood" : "none", found.dead_letters ? "bad" : ""),
      tile("Cost", `$${found.spent.cost_usd.toFixed(2)}`, `${count(found.spent.tokens_in + found.spent.tokens_out, "token")}, ${count(found.spent.calls, "call")}`),
      tile("Writer", status.writer.renewed_s_ago === null ? "not running" : status.writer.host, status.writer.renewed_s_ago === null ? "start it with mnemolog up" : `renewed ${status.writer.renewed_s_ago} s ago`, status.writer.renewed_s_ago === null ? "warn" : "")),
    spent.some((one) => one.tokens_in + one.tokens_out) ? section("Tokens by day", dayBars(spent, (one) => one.tokens_in + one.tokens_out, (one) => `${one.date}: ${count(one.tokens_in + one.tokens_out, "token")}, $${one.cost_usd.toFixed(4)}`)) : null,
    waiting("Verdicts that wait for you", found.held_verdicts, verdict, "mnemolog verdicts approve"),
    waiting("Failed jobs", found.failed_jobs, job, "mnemolog jobs requeue --failed"),
    waiting("Dead letters", found.parked, letter, "mnemolog dead-letters requeue"),
    waiting("Due", found.due_jobs, job),
    found.held + found.failed + found.dead_letters + due ? null : section("", nothing("Everything is done, and nothing waits for you.")),
  ];
}

const DURABILITY = { power: "a power cut", process: "the death of any process, not a power cut", nothing: "nothing: Redis keeps no append-only file" };

const waiting = (title, items, row, line) => (items?.length
  ? section(title, h("ul", { class: "plain" }, items.map(row)), line ? h("p", { class: "quiet after" }, "On the command line: ", h("code", {}, line)) : null)
  : null);

const verdict = (one) => h("li", {}, h("span", {}, one.ruling, one.kind ? ` (${one.kind})` : "", " about ", said(one.subject)),
  h("a", { href: to("facts", one.first) }, said(one.first_content, { most: 200 })), h("a", { href: to("facts", one.second) }, said(one.second_content, { most: 200 })));

const job = (one) => h("li", {}, h("span", {}, h("strong", {}, one.kind), ` ${one.job_key.slice(0, 12)}`, one.attempts ? `, ${count(one.attempts, "attempt")}` : ""), one.reason ? said(one.reason, { most: 300 }) : null);

const letter = (one) => h("li", {}, h("span", {}, h("strong", {}, one.reason), ` at ${one.position}`), said(one.detail, { most: 300 }));
