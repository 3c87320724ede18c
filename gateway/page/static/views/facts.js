// All facts, a page at a time.

import { h } from "../dom.js";
import { to } from "../router.js";
import { button, factRow, heading, paged } from "../parts.js";
import { forget } from "../actions.js";

export async function facts({ memory, at, given, tell, refresh }) {
  const all = given.get("all") === "1";
  const until = at ? Date.parse(at) : Infinity;
  // Of a past time the oldest come first where all are asked for: what was not said yet stands at the end, and ends it.
  const load = async (after) => {
    const page = await memory.facts({ newest_first: !(all && at), everything: all, limit: 50, after });
    const known = page.facts.filter((fact) => Date.parse(fact.occurred_at) <= until);
    return { items: known, after: known.length < page.facts.length ? null : page.next };
  };
  const list = paged(load, factRow, all ? "Nothing has been learned yet." : "Nothing is known for true at this time.");
  await list.ready;
  return [
    heading("Facts", all ? "All that was ever learned, with what is not true any more." : "What is true, and how sure the memory is.",
      button("Forget…", () => forget(memory, undefined, tell, refresh), "secondary")),
    h("div", { class: "filters", role: "group", "aria-label": "Which facts" }, choice("Current", to("facts"), !all), choice("With the past", to("facts", "", { all: "1" }), all)),
    list.element,
  ];
}

const choice = (label, href, isChosen) => h("a", { href, class: "choice", "aria-current": isChosen ? "true" : null }, label);
