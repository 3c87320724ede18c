// Notices that the memory has gone on, and offers to show it; what somebody reads does not move by itself.

import { h } from "./dom.js";

const EVERY_MS = 5000;

export function watch(position, refresh) {
  let shown = null;
  const button = h("button", { type: "button", class: "primary changed", hidden: true, onclick: () => { button.hidden = true; shown = null; refresh(); } }, "The memory has changed. Show");
  document.body.append(button);
  setInterval(async () => {
    if (document.hidden || document.querySelector("dialog[open]")) return;
    const now = await position().catch(() => null);
    if (now !== null && shown !== null && now !== shown) button.hidden = false;
    if (now !== null && button.hidden) shown = now;
  }, EVERY_MS);
  return () => { shown = null; button.hidden = true; };
}
