// Sessions, the newest first, and one of them as it was said.

import { h, replace } from "../dom.js";
import { clock, count, day, moment, said } from "../text.js";
import { to } from "../router.js";
import { button, heading, nothing, paged, statusChip } from "../parts.js";

const sessionRow = (session) => h("li", {}, h("a", { class: "row", href: to("sessions", session.session), "data-row": true },
  h("span", { class: "row-main" }, said(session.session, { most: 120 }),
    h("span", { class: "row-meta" }, h("span", {}, period(session)), h("span", {}, count(session.messages, "message")),
      session.waiting ? h("span", { class: "chip status" }, `${session.waiting} not read for facts yet`) : null,
      session.speakers?.length ? h("span", { class: "quiet" }, said(session.speakers.join(", "), { most: 80 })) : null)),
));

const period = ({ first_at, last_at }) => (day(first_at) === day(last_at) ? `${moment(first_at)} – ${clock(last_at)}` : `${day(first_at)} – ${day(last_at)}`);

export async function timeline({ memory, at }) {
  const load = async (after) => {
    const page = await memory.sessions({ limit: 40, after });
    return { items: page.sessions, after: page.next };
  };
  const list = paged(load, sessionRow, at ? "Nobody had said anything yet." : "Nobody has said anything yet.");
  await list.ready;
  return [heading("Timeline", "Conversations, the newest first."), list.element];
}

const messageRow = (message) => h("li", { class: `turn ${message.role}` }, h("a", { class: "message", href: to("messages", message.node_id), "data-row": true },
  h("span", { class: "who" }, said(message.speaker ?? message.role), h("time", { datetime: message.occurred_at }, moment(message.occurred_at))), said(message.content, { most: 3000 })),
message.facts?.length ? h("ul", { class: "learned" }, message.facts.map((fact) => h("li", {}, h("a", { href: to("facts", fact.node_id) }, said(fact.content, { most: 200 })), " ", statusChip(fact.status ?? "live")))) : null);

// The newest messages first on the wire, in the order of talk on the page: what is earlier comes in above.
export async function session({ memory, name }) {
  const turns = h("ol", { class: "turns" });
  const top = h("div", { class: "foot" });
  const load = async (after) => {
    const page = await memory.timeline({ session: name, limit: 50, after });
    turns.prepend(...page.messages.map(messageRow).reverse());
    replace(top, page.next ? button("Show earlier", () => load(page.next), "secondary") : null);
  };
  await load(null);
  return [h("p", { class: "trail" }, h("a", { href: to("timeline") }, "Timeline")), heading(said(name), null), top, turns,
    turns.children.length ? null : nothing("Nothing had been said in it, or it is hidden.")];
}
