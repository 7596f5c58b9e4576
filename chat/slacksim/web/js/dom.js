// Small helpers to build elements. Text always becomes text nodes, so nothing
// that an app or a person writes can become markup.

export const $ = (id) => document.getElementById(id);

// h makes an element. Properties beginning with "on" are listeners, "class"
// and everything with a dash are attributes, the rest are properties.
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "role" || key === "for" || key.includes("-")) el.setAttribute(key, value === true ? "" : value);
    else el[key] = value;
  }
  add(el, children);
  return el;
}

export function add(el, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    el.append(child);
  }
  return el;
}

export function fill(el, ...children) {
  el.replaceChildren();
  return add(el, children);
}

// say tells screen readers; urgent interrupts.
export function say(text, urgent) {
  const el = $(urgent ? "alert" : "live");
  el.textContent = "";
  requestAnimationFrame(() => { el.textContent = text; });
}

// language guesses what a text is in, for fonts and screen readers.
export const language = (text) => (/[\u3400-\u9fff]/.test(text) ? "zh-TW" : undefined);

const HUES = 8;

export function avatar(person, extra) {
  let sum = 0;
  for (const c of person.id) sum = (sum * 31 + c.codePointAt(0)) % 997;
  const letters = person.app ? "⚙" : initials(person.name);
  return h("span", { class: `avatar hue-${sum % HUES} ${person.app ? "app" : ""} ${extra || ""}`, "aria-hidden": "true" }, letters);
}

function initials(name) {
  const words = name.replace(/[^\p{L}\p{N}\s]/gu, "").trim().split(/\s+/);
  if (/^[^\x00-\x7f]/.test(name)) return [...name][0];
  return words.slice(0, 2).map((w) => [...w][0] || "").join("").toUpperCase();
}
