// Small bars: when a memory was spoken to, what was spent by day, what each arm of the search added.

import { h, s } from "../dom.js";

export function activityBars(counts) {
  const most = Math.max(1, ...counts);
  return s("svg", { class: "activity", viewBox: `0 0 ${counts.length} 24`, preserveAspectRatio: "none", "aria-hidden": "true" },
    counts.map((count, place) => (count ? s("rect", { x: place + 0.15, y: 24 - height(count, most), width: 0.7, height: height(count, most) }) : null)));
}

const height = (count, most) => 3 + 21 * Math.sqrt(count / most);

export function meter(share, label) {
  return h("span", { class: "meter", role: "img", "aria-label": label, title: label, vars: { "--share": String(Math.max(0, Math.min(1, share))) } }, h("i", {}));
}

// Arms that add nothing are left out; what is subtracted is told as a number alone.
export function armBars(scores, order) {
  const arms = order.filter((name) => (scores[name] ?? 0) > 0.0005);
  return h("span", { class: "arms", "aria-hidden": "true" },
    arms.map((name) => h("i", { class: `arm arm-${order.indexOf(name)}`, title: `${name} ${scores[name].toFixed(3)}`, vars: { "--share": String(Math.min(1, scores[name])) } })));
}

export function dayBars(days, value, label) {
  const most = Math.max(...days.map(value), 1e-9);
  return h("ol", { class: "days" }, days.map((one) => h("li", { title: label(one) },
    h("i", { vars: { "--share": String(value(one) / most) } }), h("span", { class: "hidden" }, label(one)))));
}
