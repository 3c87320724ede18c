// What is remembered, at a glance: the newest facts, the largest topics, whether anything needs a person.

import { h, replace } from "../dom.js";
import { count, said } from "../text.js";
import { to } from "../router.js";
import { factRow, heading, more, nothing, rows, section } from "../parts.js";
import { sceneCard } from "./scenes.js";

export async function overview({ memory, at, later }) {
  const scenesSoon = memory.scenes({ limit: 6 });
  const facts = await memory.facts({ limit: 12 });
  const lead = h("span", {}, at ? "What was true then." : "What is true now.");
  const topics = h("div", { class: "scenes-box" }, nothing("…"));
  later(scenesSoon.then((found) => replace(topics, found.scenes.length ? h("ul", { class: "cards narrow" }, found.scenes.map(sceneCard(at))) : nothing("No topics yet."), found.next ? more(to("scenes"), "All scenes") : null)));
  const names = h("div", { class: "names-box" });
  const work = h("div", { class: "work-box" });
  if (!at) later(memory.status().then((status) => { lead.textContent = summary(status); work.replaceChildren(attention(status)); }));
  later(memory.entities({ limit: 14 }).then((found) => names.replaceChildren(nameChips(found.entities))));
  return [
    heading(at ? "What was remembered" : "What is remembered", lead),
    work,
    h("div", { class: "columns" },
      section("Newest facts", rows(facts.facts, factRow, "No facts yet. What is said becomes facts when a session is over, or quiet for ten minutes."), facts.next ? more(to("facts"), "All facts") : null),
      h("div", { class: "aside" },
        section("Scenes", topics),
        section("Names", names))),
  ];
}

function summary(status) {
  const facts = status.nodes.semantic ?? 0, other = (status.nodes.procedural ?? 0) + (status.nodes.opinion ?? 0);
  return `${count(facts + other, "fact")} from ${count(status.nodes.episodic ?? 0, "message")} in ${count(status.sessions, "session")}, past ones included.`;
}

const nameChips = (entities) => (entities.length
  ? h("ul", { class: "chips" }, entities.map((entity) => h("li", {}, h("a", { class: "chip name", href: to("names", entity.name) }, said(entity.name, { most: 40 })))))
  : nothing("Nobody has a name here yet."));

// What waits for a person, in one line; nothing where nothing does.
function attention(status) {
  const waiting = [
    status.jobs.failed ? count(status.jobs.failed, "failed job") : null,
    status.dead_letters ? count(status.dead_letters, "dead letter") : null,
    status.requests_pending ? `${count(status.requests_pending, "request")} to forget` : null,
  ].filter(Boolean);
  return waiting.length
    ? h("a", { class: "banner", href: to("work") }, `${waiting.join(", ")} ${waiting.length > 1 || !waiting[0].startsWith("1 ") ? "wait" : "waits"} for you`)
    : document.createTextNode("");
}
