// All facts, a page at a time.

import { h } from "../dom.js";
import { go, to } from "../router.js";
import { button, factRow, heading, paged } from "../parts.js";
import { forget } from "../actions.js";

const STANDINGS = [["live", "Current"], ["past", "Past"], ["any", "All"]];
const KINDS = ["fact", "plan", "preference", "decision", "task", "risk", "procedure", "opinion"];
const LEADS = {
  live: "What is true, and how sure the memory is.",
  past: "What is not true any more, has faded, or was never true: nothing is lost.",
  any: "All that was ever learned.",
};

export async function facts({ memory, given, tell, refresh }) {
  const standing = LEADS[given.get("standing")] ? given.get("standing") : "live";
  const kind = KINDS.includes(given.get("kind")) ? given.get("kind") : null;
  const load = async (after) => {
    const page = await memory.facts({ standing, cell_type: kind, limit: 50, after });
    return { items: page.facts, after: page.next };
  };
  const list = paged(load, factRow, "There is nothing of the kind at this time.");
  await list.ready;
  return [
    heading("Facts", LEADS[standing], button("Forget…", () => forget(memory, undefined, tell, refresh), "secondary")),
    h("div", { class: "filters-row" },
      h("div", { class: "filters", role: "group", "aria-label": "Which facts" }, STANDINGS.map(([one, label]) =>
        h("a", { href: to("facts", "", { standing: one === "live" ? null : one, kind }), class: "choice", "aria-current": one === standing ? "true" : null }, label))),
      kinds(standing, kind)),
    list.element,
  ];
}

function kinds(standing, kind) {
  const select = h("select", { class: "kinds", "aria-label": "Kind", onchange: (event) => go(to("facts", "", { standing: standing === "live" ? null : standing, kind: event.target.value })) },
    h("option", { value: "" }, "Every kind"), KINDS.map((one) => h("option", { value: one }, one)));
  select.value = kind ?? "";
  return select;
}
