// The forgetting curve of a fact: how sure the memory was, is and will be.

import { h, s } from "../dom.js";
import { ago, day, percent } from "../text.js";

const HEIGHT = 190;
const LEFT = 38, RIGHT = 14, TOP = 16, BOTTOM = 26;

export function curveChart(curve, width) {
  const times = curve.points.map((point) => Date.parse(point.at));
  const first = times[0], last = times[times.length - 1];
  const x = (time) => LEFT + ((time - first) / Math.max(1, last - first)) * (width - LEFT - RIGHT);
  const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const now = Date.parse(curve.at);
  const drawn = curve.points.map((point, place) => [x(times[place]), y(point.confidence), times[place]]);
  const path = (points) => points.map(([px, py], place) => `${place ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
  const past = drawn.filter(([, , time]) => time <= now);
  const later = drawn.filter(([, , time]) => time >= now);
  const base = y(0);
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": told(curve) },
    [0, 0.25, 0.5, 0.75, 1].map((share) => [
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }),
      share * 2 === Math.round(share * 2) ? s("text", { class: "tick", x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)) : null,
    ]),
    s("line", { class: "floor", x1: LEFT, x2: width - RIGHT, y1: y(curve.floor), y2: y(curve.floor) }),
    past.length > 1 ? s("path", { class: "area", d: `${path(past)}L${past.at(-1)[0].toFixed(1)} ${base}L${past[0][0].toFixed(1)} ${base}Z` }) : null,
    s("path", { class: "line", d: path(past) }),
    s("path", { class: "line later", d: path(later) }),
    curve.used.map(({ at: time }) => s("circle", { class: "used", cx: x(Date.parse(time)), cy: base, r: 2.5 }, s("title", {}, `used ${day(time)}`))),
    marks(curve, x, y, width, now, first, last),
    ticks(first, last).map((time, place, all) => s("text", {
      class: "tick", x: x(time), y: HEIGHT - 8,
      "text-anchor": place === 0 ? "start" : place === all.length - 1 ? "end" : "middle",
    }, day(time))),
  );
  return [chart, h("figcaption", {}, told(curve))];
}

function marks(curve, x, y, width, now, first, last) {
  const found = [];
  if (curve.fades_at) {
    const time = Date.parse(curve.fades_at);
    if (time >= first && time <= last) found.push(s("circle", { class: "fades", cx: x(time), cy: y(curve.floor), r: 4 }));
  }
  if (now >= first && now <= last) {
    const px = x(now);
    const side = px > width - 90 ? "end" : "start";
    found.push(
      s("line", { class: "now", x1: px, x2: px, y1: TOP - 4, y2: y(0) }),
      s("circle", { class: "point", cx: px, cy: y(curve.confidence), r: 4.5 }),
      s("text", { class: "value", x: px + (side === "end" ? -8 : 8), y: y(curve.confidence) - 8 < TOP ? TOP + 4 : y(curve.confidence) - 8, "text-anchor": side }, percent(curve.confidence)),
    );
  }
  return found;
}

function ticks(first, last) {
  return [0, 0.5, 1].map((share) => first + (last - first) * share);
}

function told(curve) {
  const sure = `${percent(curve.confidence)} sure`;
  const times = curve.used.reduce((sum, one) => sum + one.times, 0);
  const used = times ? ` Used ${times === 1 ? "once" : `${times} times`}, last ${day(curve.used.at(-1).at)}.` : "";
  if (!curve.fades_at) return `${sure}. Confirmed: it does not fade.${used}`;
  const faded = Date.parse(curve.fades_at) <= Date.parse(curve.at);
  return `${sure}. ${faded ? "Faded" : "Fades"} on ${day(curve.fades_at)} (${ago(curve.fades_at, Date.parse(curve.at))})${faded ? "" : " unless it is used"}.${used}`;
}
