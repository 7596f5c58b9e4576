// Block Kit blocks as DOM. ctx says where they stand: at (what to name in a
// click), root() (the element that holds all inputs around), errors.
import { h } from "./dom.js";
import { markdown, textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { element } from "./elements.js";

let serial = 0;

function section(ctx, b) {
  return h("div", { class: "section" },
    h("div", { class: "section-text" },
      b.text && h("div", { class: "text" }, textObject(b.text)),
      b.fields && h("div", { class: "fields" }, b.fields.map((f) => h("div", { class: "text" }, textObject(f))))),
    b.accessory && h("div", { class: "accessory" }, element(ctx, b, b.accessory)));
}

function context(b) {
  return h("div", { class: "context" }, b.elements.map((e) => (e.type === "image"
    ? h("span", { role: "img", "aria-label": e.alt_text }, "🖼")
    : h("span", null, textObject(e)))));
}

function input(ctx, b) {
  const id = `input-${++serial}`;
  const grouped = /^(checkboxes|radio_buttons|multi_.*)$/.test(b.element.type);
  const fault = ctx.errors && ctx.errors[b.block_id];
  const node = element(ctx, b, b.element, { id: grouped ? undefined : id, labelId: `${id}-label`, acts: b.dispatch_action === true });
  const field = node.querySelector("[data-field]");
  const about = [fault && `${id}-error`, b.hint && `${id}-hint`].filter(Boolean).join(" ");
  if (about) field.setAttribute("aria-describedby", about);
  if (fault) field.setAttribute("aria-invalid", "true");
  if (!b.optional && !grouped) field.setAttribute("aria-required", "true");
  const label = [textObject(b.label), b.optional && h("span", { class: "optional" }, " (optional)")];
  return h("div", { class: "input" + (fault ? " wrong" : "") },
    grouped ? h("p", { class: "label", id: `${id}-label` }, label) : h("label", { class: "label", for: id, id: `${id}-label` }, label),
    node,
    b.hint && h("p", { class: "hint", id: `${id}-hint` }, textObject(b.hint)),
    fault && h("p", { class: "fault", id: `${id}-error` }, fault));
}

function table(b) {
  const align = (i) => "to-" + ((b.column_settings || [])[i]?.align || "left");
  const row = (cells, tag) => h("tr", null, cells.map((c, i) => h(tag, { class: align(i), ...(tag === "th" ? { scope: "col" } : {}) },
    c.type === "rich_text" ? richText(c) : c.text)));
  const [head, ...rest] = b.rows;
  return h("div", { class: "table", role: "region", "aria-label": "Table", tabIndex: 0 },
    h("table", null, h("thead", null, row(head, "th")), h("tbody", null, rest.map((r) => row(r, "td")))));
}

function picture(b) {
  return h("div", { class: "picture" }, "🖼 ", b.title ? textObject(b.title) : b.alt_text);
}

function one(ctx, b) {
  switch (b.type) {
    case "section": return section(ctx, b);
    case "header": return h("p", { class: "header", role: "heading", "aria-level": "3" }, textObject(b.text));
    case "divider": return h("hr");
    case "context": return context(b);
    case "actions": return h("div", { class: "actions" }, b.elements.map((e) => element(ctx, b, e)));
    case "input": return input(ctx, b);
    case "image": return picture(b);
    case "markdown": return h("div", { class: "text" }, markdown(b.text));
    case "rich_text": return h("div", { class: "text" }, richText(b));
    case "table": return table(b);
    case "alert": return h("div", { class: "alert level-" + (b.level || "default"), role: "note" }, textObject(b.text));
    default: return h("p", { class: "hint" }, `(${b.type})`);
  }
}

export function blocks(ctx, list) {
  return (list || []).map((b) => h("div", { class: "block block-" + b.type, "data-block": b.block_id }, one(ctx, b)));
}
