// What a fact was and what it became: each fact a bar over the time in which it held, an arrow to what took its place.

import { h, s } from "../dom.js";
import { day, plain, said } from "../text.js";
import { to } from "../router.js";

const LANE = 46, TOP = 8, BOTTOM = 26, BAR = 10;
const CHARACTER = 7.1;

export function chainChart(facts, current, width, now) {
  const begins = facts.map((fact) => Date.parse(fact.valid_from));
  const first = Math.min(...begins);
  const last = Math.max(now, ...facts.map((fact) => Date.parse(fact.valid_until ?? fact.valid_from)));
  const x = (time) => 6 + ((time - first) / Math.max(1, last - first)) * (width - 12);
  const row = new Map(facts.map((fact, place) => [fact.node_id, place]));
  const middle = (place) => TOP + place * LANE + 28;
  const height = TOP + facts.length * LANE + BOTTOM;
  const bars = facts.map((fact, place) => bar(fact, place, { x, middle, width, last, isHere: fact.node_id === current }));
  const arrows = facts.filter((fact) => row.has(fact.superseded_by)).map((fact) => {
    const from = x(Date.parse(fact.valid_until ?? fact.valid_from));
    const y1 = middle(row.get(fact.node_id)) + BAR / 2, y2 = middle(row.get(fact.superseded_by)) - BAR / 2 - 4;
    return s("path", { class: "arrow", d: `M${from} ${y1}V${y2}`, "marker-end": "url(#head)" });
  });
  return h("figure", { class: "figure chain" },
    s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": facts.map((fact) => plain(fact.content)).join(" → ") },
      s("defs", {}, s("marker", { id: "head", viewBox: "0 0 8 8", refX: 4, refY: 6, markerWidth: 8, markerHeight: 8, orient: "0" }, s("path", { class: "head", d: "M1 1 4 7 7 1Z" }))),
      s("line", { class: "axis", x1: 0, x2: width, y1: height - BOTTOM + 4, y2: height - BOTTOM + 4 }),
      arrows, bars,
      [[first, "start"], [last, "end"]].map(([time, anchor]) => s("text", { class: "tick", x: anchor === "start" ? 6 : width - 6, y: height - 6, "text-anchor": anchor }, time === now ? "now" : day(time)))),
    h("ol", { class: "hidden" }, facts.map((fact) => h("li", {}, h("a", { href: to("facts", fact.node_id) }, said(fact.content)), ` ${span(fact)}`))));
}

function bar(fact, place, { x, middle, width, last, isHere }) {
  const from = x(Date.parse(fact.valid_from));
  const until = Math.max(from + 4, x(fact.valid_until ? Date.parse(fact.valid_until) : last));
  const most = Math.max(14, Math.floor((width - 12) / CHARACTER));
  const label = short(plain(fact.content), most);
  const wide = label.length * CHARACTER;
  const at = Math.max(0, Math.min(from, width - 6 - wide));
  return s("a", { href: to("facts", fact.node_id), class: `bar ${fact.status}${isHere ? " here" : ""}`, "aria-hidden": "true", tabindex: -1 },
    s("title", {}, `${plain(fact.content)} ${span(fact)}`),
    s("text", { x: at, y: middle(place) - 11 }, label),
    s("rect", { x: from, y: middle(place) - BAR / 2, width: until - from, height: BAR, rx: BAR / 2 }));
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const span = (fact) => `(${day(fact.valid_from)} – ${fact.valid_until ? day(fact.valid_until) : fact.status === "live" ? "now" : fact.status})`;
