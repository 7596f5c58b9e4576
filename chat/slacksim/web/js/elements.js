// Interactive elements: what they look like, what they hold, and what happens
// when they are used.
import { h, say } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { confirmWith } from "./confirm.js";
import { explain, post, store } from "./store.js";

let serial = 0;
const uid = (prefix) => `${prefix}-${++serial}`;
const words = (t) => (t ? t.text : "");

function optionsOf(el) {
  switch (el.type.replace("multi_", "")) {
    case "users_select":
      return [{ options: store.data.people.filter((p) => !p.deleted && !p.stranger).map((p) => ({ value: p.id, label: p.name })) }];
    case "channels_select":
    case "conversations_select":
      return [{ options: store.data.channels.filter((c) => !c.direct).map((c) => ({ value: c.id, label: "#" + c.name })) }];
    default: {
      const plain = (o) => ({ value: o.value, label: words(o.text), option: o });
      if (el.option_groups) return el.option_groups.map((g) => ({ label: words(g.label), options: g.options.map(plain) }));
      return [{ options: (el.options || []).map(plain) }];
    }
  }
}

function initialOf(el) {
  const one = el.initial_value ?? el.initial_date ?? el.initial_time ?? el.initial_user ?? el.initial_channel ?? el.initial_conversation ??
    el.initial_option?.value ?? (el.initial_date_time ? String(el.initial_date_time) : undefined);
  if (one !== undefined) return [one];
  return (el.initial_options || el.initial_users || el.initial_channels || el.initial_conversations || [])
    .map((v) => (typeof v === "string" ? v : v.value));
}

// use sends a block action and shows at the element what became of it.
async function use(ctx, block, el, node, chosen) {
  if (el.confirm && !(await confirmWith(el.confirm))) { node.focus?.(); return false; }
  const host = node.closest(".element") || node;
  host.setAttribute("aria-busy", "true");
  host.querySelector(".trouble")?.remove();
  const res = await post("click", {
    ...ctx.at, block: block.block_id, action: el.action_id, chosen, values: gather(ctx.root()),
  });
  host.removeAttribute("aria-busy");
  if (res.ok) return true;
  const text = explain(res.error);
  if (host.isConnected) host.append(h("p", { class: "trouble" }, "⚠ ", text));
  say(text, true);
  return false;
}

// gather reads what all inputs inside a root hold.
export function gather(root) {
  const values = {};
  for (const field of root.querySelectorAll("[data-field]")) values[field.dataset.field] = field.read();
  return values;
}

// field marks an element as holding a value.
function field(node, block, el, read) {
  node.dataset.field = `${block.block_id}/${el.action_id}`;
  node.dataset.actionId = el.action_id;
  node.dataset.blockId = block.block_id;
  node.read = read;
  return node;
}

function button(ctx, block, el) {
  const attrs = {
    class: `button ${el.style || ""}`, "data-action-id": el.action_id, "data-block-id": block.block_id,
    "data-value": el.value || "", "aria-label": el.accessibility_label,
  };
  if (el.url) {
    return h("a", { ...attrs, href: /^https?:/.test(el.url) ? el.url : undefined, target: "_blank", rel: "noopener noreferrer",
      onclick: (e) => use(ctx, block, el, e.currentTarget, []) }, textObject(el.text));
  }
  const b = h("button", { ...attrs, type: "button", onclick: async () => {
    if (b.ariaDisabled === "true") return;
    b.ariaDisabled = "true"; // keeps the focus, unlike disabled
    await use(ctx, block, el, b, el.value ? [el.value] : []);
    b.ariaDisabled = null;
  } }, textObject(el.text));
  return b;
}

function overflow(ctx, block, el) {
  const id = uid("menu");
  const items = el.options.map((o) => h("button", { type: "button", role: "menuitem", "data-value": o.value, onclick: () => {
    close(true);
    if (o.url && /^https?:/.test(o.url)) window.open(o.url, "_blank", "noopener");
    use(ctx, block, el, toggle, [o.value]);
  } }, textObject(o.text), o.description && h("small", null, textObject(o.description))));
  const menu = h("div", { class: "menu", role: "menu", id, hidden: true }, items);
  const close = (focus) => {
    menu.hidden = true;
    toggle.setAttribute("aria-expanded", "false");
    if (focus) toggle.focus();
  };
  const toggle = h("button", {
    type: "button", class: "button more", "data-action-id": el.action_id, "data-block-id": block.block_id,
    "aria-label": "More actions", "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": id,
    onclick: () => {
      menu.hidden = !menu.hidden;
      toggle.setAttribute("aria-expanded", String(!menu.hidden));
      if (!menu.hidden) items[0].focus();
    },
  }, "⋯");
  menu.addEventListener("keydown", (e) => {
    const at = items.indexOf(document.activeElement);
    if (e.key === "ArrowDown") items[(at + 1) % items.length].focus();
    else if (e.key === "ArrowUp") items[(at - 1 + items.length) % items.length].focus();
    else if (e.key === "Escape") close(true);
    else if (e.key === "Tab") { close(false); return; } else return;
    e.preventDefault();
    e.stopPropagation();
  });
  menu.addEventListener("focusout", (e) => { if (!menu.contains(e.relatedTarget) && e.relatedTarget !== toggle) close(false); });
  return h("span", { class: "menu-holder" }, toggle, menu);
}

function select(ctx, block, el, opts) {
  const start = initialOf(el)[0];
  const node = h("select", { id: opts.id, "aria-label": opts.id ? undefined : words(el.placeholder) || "Choose" });
  node.append(h("option", { value: "" }, words(el.placeholder) || "Choose…"));
  for (const g of optionsOf(el)) {
    const made = g.options.map((o) => h("option", { value: o.value, selected: o.value === start }, o.label));
    node.append(...(g.label ? [h("optgroup", { label: g.label }, ...made)] : made));
  }
  if (opts.acts) node.addEventListener("change", () => node.value && use(ctx, block, el, node, [node.value]));
  return field(node, block, el, () => (node.value ? [node.value] : []));
}

// boxes are checkboxes, radio buttons and selects of several.
function boxes(ctx, block, el, opts) {
  const start = initialOf(el);
  const name = uid("group");
  const kind = el.type === "radio_buttons" ? "radio" : "checkbox";
  const set = h("fieldset", { class: "boxes", "aria-labelledby": opts.labelId, "aria-label": opts.labelId ? undefined : words(el.placeholder) || "Choose" });
  for (const o of optionsOf(el).flatMap((g) => g.options)) {
    const box = h("input", { type: kind, name, value: o.value, checked: start.includes(o.value) });
    const label = o.option ? textObject(o.option.text) : o.label;
    set.append(h("label", null, box, h("span", null, label,
      o.option?.description && h("small", null, textObject(o.option.description)))));
  }
  const read = () => [...set.querySelectorAll("input:checked")].map((b) => b.value);
  if (opts.acts) set.addEventListener("change", () => use(ctx, block, el, set, read()));
  return field(set, block, el, read);
}

const TYPES = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local", email_text_input: "email", url_text_input: "url", number_input: "text" };

function entry(ctx, block, el, opts) {
  const long = el.multiline || el.type === "rich_text_input";
  const node = h(long ? "textarea" : "input", {
    id: opts.id, placeholder: words(el.placeholder), value: initialOf(el)[0] || "", autocomplete: "off",
    "aria-label": opts.id ? undefined : words(el.placeholder) || "Enter",
  });
  if (long) node.rows = 4;
  else node.type = TYPES[el.type] || "text";
  if (el.type === "number_input") node.inputMode = "decimal";
  if (el.max_length) node.maxLength = el.max_length;
  const read = () => {
    if (node.type === "datetime-local") return node.value ? [String(Math.floor(new Date(node.value) / 1000))] : [];
    return node.value ? [node.value] : [];
  };
  if (opts.acts) node.addEventListener("change", () => use(ctx, block, el, node, read()));
  return field(node, block, el, read);
}

function image(el) {
  // Pictures from elsewhere are not fetched: the page works without a network.
  return h("span", { class: "image-alt", role: "img", "aria-label": el.alt_text }, "🖼");
}

// element renders one element. opts: id and labelId of its label, and whether
// using it tells the app at once.
export function element(ctx, block, el, opts = { acts: true }) {
  let node;
  if (el.type === "button") node = button(ctx, block, el);
  else if (el.type === "image") return image(el);
  else if (el.type === "overflow") node = overflow(ctx, block, el);
  else if (/^(checkboxes|radio_buttons|multi_.*)$/.test(el.type)) node = boxes(ctx, block, el, opts);
  else if (/_select$/.test(el.type)) node = select(ctx, block, el, opts);
  else node = entry(ctx, block, el, opts);
  return h("span", { class: "element element-" + el.type }, node);
}
