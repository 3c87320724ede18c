// The time asked about: a slider over the whole life of the memory. Everything shown follows it.

import { h, replace } from "./dom.js";
import { activityBars } from "./charts/bars.js";
import { addressed, here, turn } from "./router.js";
import { day } from "./text.js";

const DAY = 86_400_000;
const PAUSE_MS = 120;

// Gives what moves the slider to a time: the bar itself stays, so that it keeps the focus.
export function timeBar(holder, activity) {
  const first = activity.first_at ? Date.parse(activity.first_at) : Date.now();
  const now = Date.now();
  const days = Math.max(1, Math.ceil((now - first) / DAY));
  // The last place is now; each place before it is the end of a day.
  const timeOf = (place) => (place >= days ? null : new Date(first + place * DAY).toISOString());
  const placeOf = (time) => (time ? Math.max(0, Math.min(days - 1, Math.round((Date.parse(time) - first) / DAY))) : days);
  const slider = h("input", { type: "range", id: "slider", min: 0, max: days, step: 1, "aria-label": "As of" });
  const label = h("span", { class: "as-of" });
  const back = h("button", { type: "button", class: "secondary small", onclick: () => set(null) }, "Back to now");
  const tell = (time) => {
    replace(label, time ? ["As of ", h("strong", {}, day(time))] : h("strong", {}, "Now"));
    slider.setAttribute("aria-valuetext", time ? day(time) : "now");
    holder.classList.toggle("past", Boolean(time));
    back.hidden = !time;
  };
  const set = (time) => {
    const { space, view, name, given } = here();
    turn(addressed(space, view, name, { ...Object.fromEntries(given), at: time }));
  };
  slider.addEventListener("input", () => tell(timeOf(Number(slider.value))));
  // Keys repeat: what is asked for is where they stop.
  let waiting = 0;
  slider.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => set(timeOf(Number(slider.value))), PAUSE_MS);
  });
  replace(holder, h("div", { class: "time-head" }, label, back),
    h("div", { class: "time-line", vars: { "--end": String(Math.min(1, lengthOf(activity) / Math.max(1, now - first))) } }, activityBars(activity.counts), slider),
    h("div", { class: "time-ends" }, h("span", {}, day(first)), h("span", {}, "now")));
  return (at) => {
    if (timeOf(Number(slider.value)) !== at) slider.value = String(placeOf(at));
    tell(at);
  };
}

const lengthOf = (activity) => activity.counts.length * activity.stretch_ms;
