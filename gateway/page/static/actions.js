// What a person asks of the memory. Each shows first what it would do.

import { h } from "./dom.js";
import { askDialog } from "./dialogs.js";
import { day, said } from "./text.js";

const quote = (content) => h("blockquote", {}, said(content));

const refusals = (done) => (done.refused ?? []).map((one) => one.detail || one.reason).join("; ");

function finished(tell, words, after) {
  return (done) => {
    const refused = refusals(done);
    tell(refused ? `Not taken over: ${refused}` : done.folded === false ? `${words}, once the writer runs` : words);
    after(done);
  };
}

export function remember(memory, tell, after) {
  askDialog("Remember", {
    intro: h("p", {}, "What you say here is believed fully, at once and without a model."),
    fields: [
      { name: "text", label: "What is so", hint: "A sentence that stands for itself: My sister Nora is allergic to nuts.", long: true },
      { name: "speaker", label: "Who says so", hint: "A name; I and my mean this person.", required: false },
    ],
    submit: "Remember",
    act: ({ text, speaker }) => memory.remember({ text, ...(speaker ? { speaker } : {}) }).then(finished(tell, "Remembered", after)),
  });
}

export function correct(memory, fact, tell, after) {
  askDialog("Correct", {
    intro: [h("p", {}, "This was never so:"), quote(fact.content)],
    fields: [{ name: "text", label: "What is true instead", hint: "A sentence, or the right value alone.", long: true }],
    preview: async ({ text }) => ({
      possible: text !== "",
      shown: h("div", { class: "change" }, h("del", {}, said(fact.content)), h("span", { class: "to", "aria-hidden": "true" }, "↓"), h("ins", {}, said(text)),
        h("p", { class: "quiet" }, `It takes its place from ${day(fact.valid_from)} on. What was true and is not any more is not corrected: remember what is so now instead.`)),
    }),
    submit: "Correct",
    act: ({ text }) => memory.ask(fact.node_id, "correct", { text }).then(finished(tell, "Corrected", after)),
  });
}

export function forget(memory, { node_id, content } = {}, tell, after) {
  const meant = (given) => (node_id ? { node_id } : { text: given.text });
  askDialog("Forget", {
    intro: content ? [h("p", {}, "This would not be told any more, and no import brings it back:"), quote(content)] : h("p", {}, "Say what should not be told any more. What would be touched is shown first."),
    fields: node_id ? [] : [{ name: "text", label: "What to forget", hint: "my trip to Rome" }],
    preview: async (given) => {
      const plan = await memory.forget({ ...meant(given), preview: true });
      return { possible: plan.facts.length > 0, shown: planned(plan) };
    },
    submit: "Forget", danger: true,
    act: (given) => memory.forget({ ...meant(given), preview: false }).then(finished(tell, "Forgotten", after)),
  });
}

function planned(plan) {
  if (!plan.facts.length) {
    return [h("p", {}, "Nothing is surely meant by that."), plan.nearest?.length ? [h("p", { class: "quiet" }, "Near:"), h("ul", {}, plan.nearest.map((fact) => h("li", {}, said(fact.content, { most: 200 }))))] : null];
  }
  return [
    h("h3", {}, plan.facts.length === 1 ? "1 fact is retired" : `${plan.facts.length} facts are retired`),
    h("ul", {}, plan.facts.map((fact) => h("li", {}, said(fact.content, { most: 300 })))),
    h("h3", {}, plan.hides.length === 1 ? "1 message is hidden" : `${plan.hides.length} messages are hidden`),
    h("ul", {}, plan.hides.map((message) => h("li", {}, said(message.content, { most: 300 })))),
  ];
}

const SIMPLE = {
  confirm: ["Confirm", "It does not fade any more. What is said later still takes its place.", "Confirmed"],
  unpin: ["Let it fade", "Its confirmation is taken back: it fades again unless it is used.", "It fades again"],
  unsupersede: ["Still true", "It is live again beside what took its place, and no engine changes that.", "It holds again"],
};

export function decide(memory, fact, verb, tell, after) {
  const [title, what, words] = SIMPLE[verb];
  askDialog(title, {
    intro: [quote(fact.content), h("p", {}, what)],
    submit: title,
    act: () => memory.ask(fact.node_id, verb, {}).then(finished(tell, words, after)),
  });
}
