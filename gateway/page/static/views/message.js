// One message as it was said, and what became of it.

import { h } from "../dom.js";
import { count, moment, said } from "../text.js";
import { to } from "../router.js";
import { factRow, more, rows, section } from "../parts.js";

export async function message({ memory, name }) {
  const story = await memory.why(name);
  const told = story.message;
  const [before] = story.before, [after] = story.after;
  return [
    h("p", { class: "trail" }, h("a", { href: to("timeline") }, "Timeline"), " / ", h("a", { href: to("sessions", told.session) }, said(told.session, { most: 60 }))),
    h("article", { class: "utterance" },
      h("p", { class: "who" }, said(told.speaker ?? told.role), h("time", { datetime: told.occurred_at }, moment(told.occurred_at)), told.hidden ? h("span", { class: "chip status" }, "hidden") : null),
      h("h1", { class: "statement" }, said(told.content))),
    h("div", { class: "actions" },
      before ? h("a", { class: "as-button", href: to("messages", before) }, "← Before") : null,
      after ? h("a", { class: "as-button", href: to("messages", after) }, "After →") : null,
      more(to("sessions", told.session), "The whole session")),
    section("Learned from it", rows(story.facts, factRow, nothingLearned(story))),
    section("On the log", h("dl", { class: "facts-of" },
      [["Event", told.event_id], ["Position", told.position], ["Recorded", moment(told.recorded_at)], ["Role", told.role], ["Came from", told.source_type], ["Told in", count(story.recalls.length, "answer")]]
        .map(([key, value]) => [h("dt", {}, key), h("dd", {}, said(value))]))),
  ];
}

const nothingLearned = (story) => (story.jobs.length ? "Nothing was learned from it." : "It has not been read for facts yet: that happens when its session is over, or quiet for ten minutes.");
