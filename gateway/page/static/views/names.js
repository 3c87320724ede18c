// Everybody and everything that has a name, and what stands around one of them.

import { h } from "../dom.js";
import { count, said } from "../text.js";
import { to } from "../router.js";
import { factRow, fitted, heading, nothing, paged, section } from "../parts.js";
import { graphChart } from "../charts/graph.js";

const nameRow = (entity) => h("li", {}, h("a", { class: "row", href: to("names", entity.name), "data-row": true },
  h("span", { class: "row-main" }, said(entity.name, { most: 200 }),
    h("span", { class: "row-meta" }, entity.kinds.map((kind) => h("span", { class: "chip kind" }, kind)), h("span", {}, counts(entity))))));

function counts(entity) {
  const told = [[entity.about, "fact", "about"], [entity.mentioned, "fact", "naming"], [entity.spoken, "message", "from"]];
  return told.filter(([number]) => number > 0).map(([number, what, how]) => `${count(number, what)} ${how} it`).join(", ");
}

export async function names({ memory }) {
  const load = async (after) => {
    const page = await memory.entities({ limit: 60, after });
    return { items: page.entities, after: page.next };
  };
  const list = paged(load, nameRow, "Nobody has a name here yet.");
  await list.ready;
  return [heading("Names", "People, places, projects and things, most told of first."), list.element];
}

export async function name({ memory, name: given, at }) {
  const graph = await memory.graph(given);
  const load = async (after) => {
    const page = await memory.facts({ subject: graph.name, limit: 30, after });
    return { items: page.facts, after: page.next };
  };
  const list = paged(load, factRow, "Nothing is known for true about it at this time.");
  await list.ready;
  return [
    h("p", { class: "trail" }, h("a", { href: to("names") }, "Names")),
    heading(said(graph.name), [graph.kinds.join(", "), at ? " as known for that time" : ""].join("") || null),
    graph.facts.length ? section("Around it", fitted("graph", (width) => graphChart(graph, width))) : nothing("No facts name it at this time."),
    section("Facts about it", list.element),
  ];
}
