// The topics that facts group under, and one of them.

import { h } from "../dom.js";
import { ago, count, day, said } from "../text.js";
import { to } from "../router.js";
import { factRow, heading, paged, section } from "../parts.js";

export const sceneCard = (at) => (scene) => h("li", {}, h("a", { class: "card", href: to("scenes", scene.scene), "data-row": true },
  h("span", { class: "card-head" }, h("strong", {}, said(scene.scene, { most: 80 })), h("span", { class: "number" }, count(scene.cells, "fact"))),
  scene.summary ? h("span", { class: "summary" }, said(scene.summary, { most: 700 })) : null,
  h("span", { class: "quiet" }, at ? `newest of ${day(scene.updated_at)}` : `changed ${ago(scene.updated_at)}`, scene.stale && !at ? ", summary is being made again" : "")));

export async function scenes({ memory, at }) {
  const load = async (after) => {
    const page = await memory.scenes({ limit: 30, after });
    return { items: page.scenes, after: page.next };
  };
  const list = paged(load, sceneCard(at), "No topics yet.");
  await list.ready;
  list.element.querySelector("ul").className = "cards";
  return [heading("Scenes", at ? "The topics of then, with their summaries." : "The topics that facts group under, with their summaries."), list.element];
}

const NOT_THERE = [400, 404, 422];

export async function scene({ memory, name, at }) {
  const first = await memory.scene(name, { limit: 50 }).catch((error) => { if (NOT_THERE.includes(error.status)) return null; throw error; });
  const load = async (after) => {
    const page = after ? await memory.facts({ scene: name, limit: 50, after }) : first ?? { facts: [], next: null };
    return { items: page.facts, after: page.next };
  };
  const list = paged(load, factRow, "Nothing is known for true of it at this time.");
  await list.ready;
  return [
    h("p", { class: "trail" }, h("a", { href: to("scenes") }, "Scenes")),
    heading(said(name), first?.summary ? said(first.summary) : null),
    first?.stale ? h("p", { class: "quiet" }, at ? "Told by its most salient facts." : "Facts have changed since this summary was made; a new one follows.") : null,
    section("Facts", list.element),
  ];
}
