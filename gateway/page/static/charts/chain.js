// What a fact was and what it became: each fact a bar over the time in which it held, an arrow to what took its place.

import { h, s } from "../dom.js";
import { day, plain, said } from "../text.js";
import { to } from "../router.js";
import { fitting, widthOf } from "./words.js";

const LANE = 44, BAR = 26, TOP = 6, BOTTOM = 24, PAD = 11;

export function chainChart(facts, current, width, now) {
  const begins = facts.map((fact) => Date.parse(fact.valid_from));
  const first = Math.min(...begins);
  const last = Math.max(now, ...facts.map((fact) => Date.parse(fact.valid_until ?? fact.valid_from)));
  const x = (time) => 1 + ((time - first) / Math.max(1, last - first)) * (width - 2);
  const y = (place) => TOP + place * LANE;
  const rowOf = new Map(facts.map((fact, place) => [fact.node_id, place]));
  const height = TOP + facts.length * LANE + BOTTOM;
  const spans = facts.map((fact) => {
    const from = Math.min(x(Date.parse(fact.valid_from)), width - 7);
    return [from, Math.max(from + 6, x(fact.valid_until ? Date.parse(fact.valid_until) : last))];
  });
  const arrows = facts.flatMap((fact, place) => (rowOf.has(fact.superseded_by) ? [arrow(spans, y, place, rowOf.get(fact.superseded_by), width)] : []));
  return [
    s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": facts.map((fact) => plain(fact.content)).join(" → ") },
      s("defs", {}, s("marker", { id: "head", viewBox: "0 0 8 8", refX: 4, refY: 7, markerWidth: 8, markerHeight: 8, orient: "0" }, s("path", { class: "head", d: "M0.5 1 4 7 7.5 1Z" }))),
      facts.map((fact, place) => bar(fact, spans[place], y(place), width, fact.node_id === current)), arrows,
      s("line", { class: "axis", x1: 0, x2: width, y1: height - BOTTOM + 2, y2: height - BOTTOM + 2 }),
      [[first, "start"], [last, "end"]].map(([time, anchor]) => s("text", { class: "tick", x: anchor === "start" ? 0 : width, y: height - 5, "text-anchor": anchor }, Math.abs(time - Date.now()) < 60_000 ? "now" : day(time)))),
    h("ol", { class: "hidden" }, facts.map((fact) => h("li", {}, h("a", { href: to("facts", fact.node_id) }, said(fact.content)), ` ${span(fact)}`))),
  ];
}

function arrow(spans, y, from, to_, width) {
  const down = to_ > from;
  const x = Math.max(6, Math.min(width - 6, Math.max(spans[to_][0] + 6, Math.min(spans[from][1] - 6, spans[to_][1] - 6))));
  return s("path", { class: "arrow", d: `M${x} ${down ? y(from) + BAR : y(from)}V${down ? y(to_) - 1 : y(to_) + BAR + 1}`, "marker-end": down ? "url(#head)" : null });
}

function bar(fact, [from, until], y, width, isHere) {
  const { label, at, inside } = placed(fact, from, until, width);
  return s("a", { href: to("facts", fact.node_id), class: `bar ${fact.status}${isHere ? " here" : ""}`, "aria-hidden": "true", tabindex: -1 },
    s("title", {}, `${plain(fact.content)} ${span(fact)}`),
    s("rect", { x: from, y, width: until - from, height: BAR, rx: 7 }),
    s("text", { class: inside ? "inside" : null, x: at, y: y + BAR / 2 + 4.5 }, label));
}

// The words stand in the bar where they fit, else beside it, where there is more room; else what differs stands alone.
function placed(fact, from, until, width) {
  const text = plain(fact.content);
  const wide = widthOf(text);
  if (wide <= until - from - 2 * PAD) return { label: text, at: from + PAD, inside: true };
  const rooms = [[until - from - 2 * PAD, from + PAD, true], [width - until - PAD, until + PAD, false], [from - PAD, null, false]];
  const [room, at, inside] = rooms.reduce((best, one) => (one[0] > best[0] ? one : best));
  const label = fitting(wide <= room || !fact.slot ? text : plain(fact.object), room);
  return { label, at: at ?? from - PAD - widthOf(label), inside };
}

const span = (fact) => `(${day(fact.valid_from)} – ${fact.valid_until ? day(fact.valid_until) : fact.status === "live" ? "now" : fact.status})`;
