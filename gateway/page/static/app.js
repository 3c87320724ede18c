// The page: reads where it is from the address, asks the memory, shows the view.

import { Problem, get, keepToken, memoryOf, onTokenNeeded } from "./api.js";
import { remember } from "./actions.js";
import { keysDialog, tokenDialog } from "./dialogs.js";
import { byId, h, replace } from "./dom.js";
import { listenForKeys } from "./keys.js";
import { watch } from "./live.js";
import { addressed, go, here, to, turn } from "./router.js";
import { timeBar } from "./timebar.js";
import { fact } from "./views/fact.js";
import { facts } from "./views/facts.js";
import { message } from "./views/message.js";
import { name, names } from "./views/names.js";
import { overview } from "./views/overview.js";
import { scene, scenes } from "./views/scenes.js";
import { search } from "./views/search.js";
import { session, timeline } from "./views/timeline.js";
import { work } from "./views/work.js";

const VIEWS = [["", "Overview"], ["facts", "Facts"], ["scenes", "Scenes"], ["names", "Names"], ["timeline", "Timeline"], ["work", "Work"]];
const SHOWN = { "": overview, facts, scenes, names, timeline, work, search };
const NAMED = { facts: fact, scenes: scene, names: name, sessions: session, messages: message };
const PARENT = { sessions: "timeline", messages: "timeline" };

const main = byId("main");
let leaving = new AbortController();
let barOf = null;

function tell(words) {
  const told = byId("told");
  replace(told, words);
  told.classList.add("shown");
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => told.classList.remove("shown"), 5000);
}

function navigation(view) {
  replace(byId("nav"), h("ul", {}, VIEWS.map(([path, label], place) => h("li", {}, h("a", {
    href: to(path), "aria-current": (PARENT[view] ?? view) === path ? "page" : null, title: `${label} (${place + 1})`,
  }, label)))));
  const chosen = byId("nav").querySelector("[aria-current]");
  if (chosen) byId("nav").scrollLeft = chosen.offsetLeft - 60;
}

async function show() {
  const place = here();
  if (!place.space) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const at = place.given.get("at");
  const memory = memoryOf(place.space, at, signal);
  byId("home").href = addressed(place.space);
  byId("space").value = place.space;
  byId("query").value = place.given.get("q") ?? "";
  navigation(place.view);
  caughtUp();
  main.setAttribute("aria-busy", "true");
  const view = place.name ? NAMED[place.view] : SHOWN[place.view];
  const bar = showBar(place.space, at);
  bar.catch(() => {}); // told below, unless the view fails first
  try {
    const context = { memory, at, name: place.name, given: place.given, tell, refresh: () => show(), later: quietly };
    const shown = view ? await view(context) : [h("h1", {}, "There is no such view"), h("p", {}, h("a", { href: addressed(place.space) }, "To the overview"))];
    await bar;
    if (signal.aborted) return;
    replace(main, shown);
    entitle(place);
  } catch (error) {
    if (!signal.aborted) replace(main, trouble(error));
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
}

function entitle(place) {
  const title = main.querySelector("h1")?.textContent.slice(0, 60) ?? "";
  document.title = `${title} · ${place.space} · mnemolog`;
  const address = `${place.space}/${place.view}/${place.name}`;
  if (show.address !== undefined && show.address !== address) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  show.address = address;
}

// What fills a part of a view later fails alone.
const quietly = (promise) => promise.catch((error) => { if (error.name !== "AbortError") tell(error.message); });

const EMPTY = { first_at: null, counts: [], stretch_ms: 0 };

async function showBar(space, at) {
  if (barOf?.space !== space) {
    const activity = await memoryOf(space, null, undefined).activity().catch(() => EMPTY);
    barOf = { space, move: timeBar(byId("time"), activity) };
  }
  barOf.move(at);
}

function trouble(error) {
  if (error.name === "AbortError") return [];
  if (!(error instanceof Problem)) throw error;
  return h("div", { class: "trouble-box", role: "alert" }, h("h1", {}, error.status === 404 ? "Not found" : "That did not work"), h("p", {}, error.message),
    h("button", { type: "button", class: "secondary", onclick: show }, "Try again"));
}

async function chooseSpace() {
  const { spaces } = await get("/v1/spaces", { limit: 200 });
  const names = spaces.map((one) => one.space);
  replace(byId("space"), names.map((one) => h("option", { value: one }, one)));
  const { space } = here();
  if (!names.length) {
    replace(main, h("h1", {}, "No memory yet"), h("p", {}, "Publish something first: ", h("code", {}, 'mnemolog publish "Hello." --role user --session first')));
  } else if (!names.includes(space)) go(addressed(names.includes("default") ? "default" : names[0]));
  else await show();
}

function rememberHere() {
  const { space } = here();
  if (space) remember(memoryOf(space, null, undefined), tell, show);
}

// What is shown is as new as it can be: only what comes after it is a change.
const caughtUp = watch(async () => { const { space, given } = here(); return space && !given.get("at") ? (await memoryOf(space, null, undefined).position()).position : null; }, show);

onTokenNeeded(() => tokenDialog(keepToken));
// What was asked for a view that was left meanwhile has nobody to be told.
addEventListener("unhandledrejection", (event) => { if (event.reason?.name === "AbortError") event.preventDefault(); });
addEventListener("hashchange", show);
byId("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
byId("space").addEventListener("change", (event) => go(addressed(event.target.value)));
byId("find").addEventListener("submit", (event) => { event.preventDefault(); go(to("search", "", { q: byId("query").value.trim() })); });
byId("remember").addEventListener("click", rememberHere);
byId("help").addEventListener("click", keysDialog);
listenForKeys({
  remember: rememberHere,
  toNow: () => { const { space, view, name: node, given } = here(); if (given.get("at")) turn(addressed(space, view, node, { ...Object.fromEntries(given), at: null })); },
  openView: (place) => { if (VIEWS[place - 1]) go(to(VIEWS[place - 1][0])); },
});
chooseSpace().catch((error) => replace(main, trouble(error)));
