// Pieces that several views share.

import { h, replace } from "./dom.js";
import { meter } from "./charts/bars.js";
import { day, percent, said } from "./text.js";
import { to } from "./router.js";

const WHY_NOT_LIVE = {
  superseded: "replaced", ended: "ended", future: "not yet", faded: "faded", forgotten: "forgotten", corrected: "never true",
};

export const statusChip = (status) => (status === "live" ? null : h("span", { class: `chip status ${status}` }, WHY_NOT_LIVE[status] ?? status));

export const kindChip = (kind) => h("span", { class: "chip kind" }, kind);

function spanOf(fact) {
  const since = `since ${day(fact.since ?? fact.valid_from)}`;
  return fact.valid_until ? `${day(fact.valid_from)} – ${day(fact.valid_until)}` : since;
}

export function factRow(fact) {
  const share = fact.confidence_now ?? fact.confidence;
  return h("li", {}, h("a", { class: `row fact-row ${fact.status ?? ""}`, href: to("facts", fact.node_id), "data-row": true },
    h("span", { class: "row-main" },
      said(fact.content, { most: 400 }),
      h("span", { class: "row-meta" },
        kindChip(fact.cell_type), statusChip(fact.status ?? "live"),
        fact.pinned ? h("span", { class: "chip pinned" }, "confirmed") : null,
        h("span", {}, spanOf(fact)), fact.scene ? h("span", { class: "quiet" }, said(fact.scene, { most: 40 })) : null,
        fact.note ? h("span", { class: "quiet" }, fact.note) : null)),
    h("span", { class: "row-side" }, meter(share, `${percent(share)} sure`), h("span", { class: "number" }, percent(share)))));
}

export const rows = (items, row, empty) => (items.length ? h("ul", { class: "rows" }, items.map(row)) : nothing(empty));

export const nothing = (words) => h("p", { class: "nothing" }, words);

export const section = (title, ...children) => h("section", { class: "section" }, title ? h("h2", {}, title) : null, ...children);

export function heading(title, lead, ...side) {
  return h("div", { class: "heading" }, h("div", {}, h("h1", {}, title), lead ? h("p", { class: "lead" }, lead) : null), h("div", { class: "actions" }, ...side));
}

export const button = (label, act, kind = "") => h("button", { type: "button", class: kind, onclick: act }, label);

export const more = (address, label) => h("a", { class: "more", href: address }, label);

// A list that goes on where it ended when it is asked to: `load(after)` gives { items, after }.
export function paged(load, row, empty) {
  const list = h("ul", { class: "rows" });
  const foot = h("div", { class: "foot" });
  const next = async (after) => {
    const page = await load(after);
    const isFirst = !list.children.length;
    const added = page.items.map(row);
    list.append(...added);
    replace(foot, page.after ? button("Show more", () => { replace(foot, h("span", { class: "quiet" }, "Loading…")); next(page.after).catch((error) => replace(foot, error.message)); }, "secondary") : null);
    if (!isFirst) added[0]?.querySelector("[data-row]")?.focus();
    if (!list.children.length) replace(foot, nothing(empty));
  };
  return { element: h("div", {}, list, foot), ready: next(null) };
}

// What is drawn to a width is drawn again when that changes.
export function fitted(name, draw) {
  const holder = h("figure", { class: `figure ${name}` });
  let drawn = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0 && Math.abs(width - drawn) > 1) {
      drawn = width;
      replace(holder, draw(width));
    }
  }).observe(holder);
  return holder;
}
