// Keys: what can be clicked can be reached without a pointer.

import { byId } from "./dom.js";
import { keysDialog } from "./dialogs.js";

const typing = (target) => target.matches?.("input:not([type=range]), textarea, select, [contenteditable]");

export function listenForKeys({ remember, toNow, openView }) {
  const acts = {
    "/": () => byId("query").select(),
    "?": keysDialog,
    "+": remember,
    t: () => byId("slider")?.focus(),
    j: () => step(1),
    k: () => step(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      if (document.activeElement !== document.body) document.activeElement.blur();
      else toNow();
      return;
    }
    if (typing(event.target)) return;
    const act = /^[1-9]$/.test(event.key) ? () => openView(Number(event.key)) : acts[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

function step(by) {
  const found = [...document.querySelectorAll("main [data-row]")];
  const place = found.indexOf(document.activeElement);
  const next = found[place < 0 ? (by > 0 ? 0 : found.length - 1) : Math.max(0, Math.min(found.length - 1, place + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
