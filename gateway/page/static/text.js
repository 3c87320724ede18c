// Memory text as text: what would steer or hide is shown by its name, and each piece keeps its own direction.

import { h } from "./dom.js";

// Controls other than tab and line break, what turns the direction of writing, what is not seen, lone surrogates.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|[\u{e0000}-\u{e0fff}]/gu;

const named = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

export function plain(text) {
  return String(text).replace(UNSEEN, (character) => `⟨${named(character)}⟩`);
}

function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(UNSEEN)) {
    found.push(text.slice(end, match.index), h("span", { class: "unseen", title: "A character that is not seen" }, named(match[0])));
    end = match.index + match[0].length;
  }
  return [...found, text.slice(end)].filter((piece) => piece !== "");
}

export function said(text, { most = 0, given = {} } = {}) {
  const whole = String(text ?? "");
  const cut = most && whole.length > most ? `${whole.slice(0, most).replace(/[\ud800-\udbff]$/u, "")}…` : whole;
  return h("bdi", { dir: "auto", class: "said", ...given }, pieces(cut));
}

// A message with the words that a fact takes from it set off.
export function quoted(content, quote) {
  const start = quote ? content.indexOf(quote) : -1;
  if (start < 0 || quote === content) return said(content);
  const end = start + quote.length;
  return h("bdi", { dir: "auto", class: "said" },
    pieces(content.slice(0, start)), h("mark", {}, pieces(quote)), pieces(content.slice(end)));
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31557600e3], ["month", 2629800e3], ["week", 604800e3], ["day", 86400e3], ["hour", 3600e3], ["minute", 60e3]];

export const day = (time) => DAY.format(new Date(time));
export const moment = (time) => MOMENT.format(new Date(time));
export const clock = (time) => CLOCK.format(new Date(time));

export function ago(time, from = Date.now()) {
  const passed = new Date(time) - from;
  for (const [unit, length] of UNITS) {
    if (Math.abs(passed) >= length) return AGO.format(Math.round(passed / length), unit);
  }
  return passed > 0 ? "in a moment" : "just now";
}

export const count = (number, one, many = `${one}s`) => `${Number(number).toLocaleString("en")} ${Number(number) === 1 ? one : many}`;
export const percent = (share) => `${Math.round(share * 100)} %`;
