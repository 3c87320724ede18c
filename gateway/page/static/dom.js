// Elements by call. Text is only ever made into text nodes; nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, ...children);
  return element;
}

export function add(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, given, ...children) => fill(document.createElement(tag), given, children);

export const s = (tag, given, ...children) => fill(document.createElementNS(SVG, tag), given, children);

export const byId = (id) => document.getElementById(id);

export function replace(element, ...children) {
  element.replaceChildren();
  return add(element, ...children);
}
