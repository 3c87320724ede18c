// Dialogs: the browser's own, so that focus, Esc and the rest of the page behave.

import { h, replace } from "./dom.js";

function openDialog(title, build) {
  const body = h("div", { class: "dialog-body" });
  const dialog = h("dialog", { class: "dialog", "aria-label": title },
    h("div", { class: "dialog-head" }, h("h2", {}, title),
      h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: () => dialog.close() }, "×")), body);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  build(body, dialog);
  dialog.showModal();
  return dialog;
}

// Fields, a preview where `preview` gives one, and what is done when it is agreed to.
export function askDialog(title, { intro, fields = [], preview, submit, danger = false, act }) {
  return openDialog(title, (body, dialog) => {
    const inputs = fields.map(({ name, label, hint, value = "", long = false, required = true }, place) => {
      const input = h(long ? "textarea" : "input", { id: `field-${name}`, name, rows: long ? 3 : null, required, autocomplete: "off", autofocus: place === 0 });
      input.value = value;
      return [name, input, h("label", { class: "field", for: `field-${name}` }, h("span", {}, label), input, hint ? h("small", {}, hint) : null)];
    });
    const given = () => Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()]));
    const trouble = h("p", { class: "trouble", role: "alert" });
    const seen = h("div", { class: "preview", "aria-live": "polite" });
    const agree = h("button", { type: "submit", class: danger ? "danger" : "primary", autofocus: !fields.length && !danger }, preview ? "Preview" : submit);
    let isSeen = !preview;
    const look = async () => {
      const told = await preview(given());
      replace(seen, told.shown);
      isSeen = told.possible;
      agree.textContent = isSeen ? submit : "Preview";
    };
    const run = async (event) => {
      event.preventDefault();
      agree.disabled = true;
      replace(trouble);
      try {
        if (isSeen) {
          await act(given());
          dialog.close();
        } else await look();
      } catch (error) {
        replace(trouble, error.message);
      } finally {
        agree.disabled = false;
      }
    };
    const again = () => {
      if (preview && isSeen) {
        isSeen = false;
        agree.textContent = "Preview";
        replace(seen);
      }
    };
    replace(body, h("form", { onsubmit: run, oninput: again }, intro, inputs.map(([, , label]) => label), seen, trouble,
      h("div", { class: "dialog-foot" }, h("button", { type: "button", class: "secondary", autofocus: !fields.length && danger, onclick: () => dialog.close() }, "Cancel"), agree)));
    if (preview && !fields.length) look().catch((error) => replace(trouble, error.message));
  });
}

const KEYS = [
  ["/", "ask the memory"], ["j  k", "next, previous in a list"], ["Enter", "open it"], ["Esc", "close, or back to now"],
  ["t", "move through time (← → by day)"], ["+", "remember something"], ["1 – 6", "the views"], ["?", "these keys"],
];

export const keysDialog = () => openDialog("Keys", (body) => replace(body,
  h("dl", { class: "keys" }, KEYS.map(([key, what]) => [h("dt", {}, key.split("  ").map((one) => h("kbd", {}, one))), h("dd", {}, what)]))));

export function tokenDialog(keep) {
  return new Promise((resolve) => {
    openDialog("Sign in", (body, dialog) => {
      const input = h("input", { id: "token", type: "password", required: true, autocomplete: "off", autofocus: true, placeholder: "mn_…" });
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      replace(body, h("form", { onsubmit: (event) => { event.preventDefault(); keep(input.value.trim()); dialog.close(); resolve(); } },
        h("p", {}, "This server asks for a token. It is kept for this tab alone."),
        h("label", { class: "field", for: "token" }, h("span", {}, "Token"), input, h("small", {}, "Made with: mnemolog token add")),
        h("div", { class: "dialog-foot" }, h("button", { type: "submit", class: "primary" }, "Sign in"))));
      dialog.querySelector(".dialog-head button").remove();
    });
  });
}
