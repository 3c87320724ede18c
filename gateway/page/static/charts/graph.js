// The graph around a name: facts on the inner ring, what else they mention on the outer one.

import { h, s } from "../dom.js";
import { plain } from "../text.js";
import { to } from "../router.js";
import { fitting } from "./words.js";

export function graphChart(graph, width) {
  const size = Math.min(width, 760), height = Math.round(size * (width < 520 ? 0.98 : 0.74));
  const cx = width / 2, cy = height / 2;
  const places = placed(graph, { cx, cy, rx: Math.min(width / 2 - 64, size / 2 - 40), ry: height / 2 - 34 });
  const line = (one, other, name) => s("line", { class: `edge ${name}`, x1: one.x, y1: one.y, x2: other.x, y2: other.y });
  const centre = { x: cx, y: cy };
  const edges = graph.edges.filter((edge) => places.has(edge.source) && places.has(edge.target)).map((edge) =>
    line(places.get(edge.source), places.get(edge.target), edge.kind === "entity" ? "mentions" : "supersedes"));
  return [
    s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${plain(graph.name)}: ${graph.facts.length} facts and ${graph.entities.length} other names` },
      graph.facts.map((fact) => line(centre, places.get(fact.node_id), fact.about ? "about" : "")), edges,
      graph.facts.map((fact) => factDot(fact, places.get(fact.node_id))),
      graph.entities.map((entity) => entityDot(entity, places.get(entity.entity_id), width)),
      s("g", { class: "centre" }, s("circle", { cx, cy, r: 30 }), s("text", { x: cx, y: cy + 4, "text-anchor": "middle" }, fitting(plain(graph.name), 54)), s("title", {}, plain(graph.name)))),
    h("figcaption", {}, caption(graph)),
  ];
}

// Facts that mention the same name stand together, and the name stands outside of their middle.
function placed(graph, { cx, cy, rx, ry }) {
  const order = graph.entities.map((entity) => entity.entity_id);
  const mentioned = new Map(graph.facts.map((fact) => [fact.node_id, []]));
  for (const edge of graph.edges) if (edge.kind === "entity") mentioned.get(edge.source)?.push(order.indexOf(edge.target));
  const key = (fact) => Math.min(order.length, ...mentioned.get(fact.node_id).filter((place) => place >= 0));
  const facts = [...graph.facts].sort((one, other) => key(one) - key(other));
  const places = new Map(), turns = new Map();
  facts.forEach((fact, place) => {
    const turn = (place / Math.max(1, facts.length)) * 2 * Math.PI - Math.PI / 2;
    places.set(fact.node_id, { x: cx + rx * 0.52 * Math.cos(turn), y: cy + ry * 0.56 * Math.sin(turn) });
    for (const entity of mentioned.get(fact.node_id)) turns.set(order[entity], [...(turns.get(order[entity]) ?? []), turn]);
  });
  const mean = (given) => Math.atan2(given.reduce((sum, turn) => sum + Math.sin(turn), 0), given.reduce((sum, turn) => sum + Math.cos(turn), 0));
  const around = [...turns].map(([id, given]) => [id, mean(given)]).sort((one, other) => one[1] - other[1]);
  const start = around.length ? around[0][1] : 0;
  around.forEach(([id, turn], place) => {
    const even = start + (place / around.length) * 2 * Math.PI;
    const at = turn * 0.35 + even * 0.65;
    places.set(id, { x: cx + rx * Math.cos(at), y: cy + ry * Math.sin(at), turn: at });
  });
  return places;
}

function factDot(fact, place) {
  return s("a", { href: to("facts", fact.node_id), class: `fact ${fact.status}`, "aria-label": plain(fact.content) },
    s("circle", { class: "reach", cx: place.x, cy: place.y, r: 12 }),
    s("circle", { cx: place.x, cy: place.y, r: 3.5 + 3 * fact.confidence }), s("title", {}, plain(fact.content)));
}

function entityDot(entity, place, width) {
  const cx = width / 2;
  const anchor = Math.abs(place.x - cx) < 40 ? "middle" : place.x > cx ? "start" : "end";
  const shift = anchor === "start" ? 10 : anchor === "end" ? -10 : 0;
  const room = anchor === "start" ? width - place.x - 10 : anchor === "end" ? place.x - 10 : 2 * Math.min(place.x, width - place.x);
  return s("a", { href: to("names", entity.name), class: `entity kind-${entity.kind}` },
    s("circle", { cx: place.x, cy: place.y, r: 4 + Math.min(4, entity.facts) }),
    s("text", { x: place.x + shift, y: place.y + (anchor === "middle" ? (Math.sin(place.turn) > 0 ? 22 : -13) : 4), "text-anchor": anchor }, fitting(plain(entity.name), Math.min(room, 150))),
    s("title", {}, `${plain(entity.name)} (${entity.kind})`));
}

function caption(graph) {
  const past = graph.facts.filter((fact) => fact.status !== "live").length;
  const drawn = `${graph.facts.length} facts${graph.more ? ", the newest of them" : ""}`;
  return `${drawn}${past ? `, ${past} of them past (hollow)` : ""}. Each dot is a fact, larger the surer it is; outside stands what they mention.`;
}
