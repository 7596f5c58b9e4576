// The topmost modal of the current person, in a native dialog.
import { $, fill, h, language, say } from "./dom.js";
import { explain, onChange, post, store } from "./store.js";
import { blocks } from "./blocks.js";
import { gather } from "./elements.js";

const dialog = $("modal");
let shown = { user: "", id: "", hash: "", errors: "" };
let opener = null; // where the focus was before

function top() {
  const views = store.data.views;
  return views.length ? views[views.length - 1] : null;
}

function close(all) { post("close", { view: shown.id, all }); }

async function submit(e) {
  e.preventDefault();
  const button = $("modal-submit");
  if (!button || button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  dialog.setAttribute("aria-busy", "true");
  const res = await post("submit", { view: shown.id, values: gather(dialog) });
  dialog.removeAttribute("aria-busy");
  button.ariaDisabled = null;
  if (res.errors) dialog.querySelector("[aria-invalid]")?.focus();
  if (res.ok || res.errors) return; // the stream brings what follows
  const why = explain(res.error);
  $("modal-trouble").textContent = "⚠ " + why;
  say(why, true);
}

function render(v, depth) {
  const ctx = { at: { view: v.id }, root: () => dialog, errors: v.errors };
  const inner = [
    h("header", null,
      h("h2", { id: "modal-title", tabIndex: -1 }, v.title),
      h("button", { type: "button", id: "modal-x", "aria-label": "Close", onclick: () => close(true) }, "×")),
    h("div", { id: "modal-body", class: "blocks", lang: language(JSON.stringify(v.blocks)), "aria-live": "polite", tabIndex: 0, role: "region", "aria-label": v.title }, blocks(ctx, v.blocks)),
    h("p", { id: "modal-trouble", class: "trouble" }),
    h("footer", { class: "dialog-buttons" },
      h("button", { type: "button", class: "button", id: "modal-close", onclick: () => close(false) }, v.close || (depth > 1 ? "Back" : v.submit ? "Cancel" : "Close")),
      v.submit && h("button", { type: "submit", class: "button primary", id: "modal-submit", disabled: v.submitDisabled }, v.submit)),
  ];
  return h("form", { noValidate: true, autocomplete: "off", onsubmit: submit }, inner);
}

// typed carries what was entered into inputs that stay.
function typed(keep, form) {
  for (const f of form.querySelectorAll("[data-field]")) {
    const got = keep.get(f.dataset.field);
    if (!got) continue;
    if (f.localName === "fieldset") for (const b of f.querySelectorAll("input")) b.checked = got.values.includes(b.value);
    else f.value = got.raw;
  }
}

function remember() {
  const keep = new Map();
  for (const f of dialog.querySelectorAll("[data-field]")) keep.set(f.dataset.field, { raw: f.value, values: f.read() });
  return keep;
}

function focusIn(form, v, was) {
  const wrong = form.querySelector("[aria-invalid]");
  if (wrong) return (wrong.localName === "fieldset" ? wrong.querySelector("input") : wrong).focus();
  const same = was && [...form.querySelectorAll("[data-action-id]")].find((n) => n.dataset.actionId === was);
  const first = same || form.querySelector(".block-input input, .block-input select, .block-input textarea");
  return (first || $("modal-title")).focus();
}

function draw() {
  const v = top();
  if (!v) {
    if (dialog.open) {
      dialog.close();
      shown = { user: store.user, id: "", hash: "", errors: "" };
      (opener && opener.isConnected ? opener : $("composer")).focus();
    }
    return;
  }
  const errors = JSON.stringify(v.errors || {});
  const same = shown.user === store.user && shown.id === v.id;
  if (dialog.open && same && shown.hash === v.hash && shown.errors === errors) return;
  const keep = same ? remember() : new Map();
  const was = same && dialog.contains(document.activeElement) ? document.activeElement.dataset.actionId : "";
  if (!dialog.open) opener = document.activeElement;
  const form = render(v, store.data.views.length);
  typed(keep, form);
  fill(dialog, form);
  dialog.dataset.view = v.id;
  shown = { user: store.user, id: v.id, hash: v.hash, errors };
  if (!dialog.open) dialog.showModal();
  focusIn(form, v, was);
  const faults = Object.values(v.errors || {});
  if (faults.length) say(faults.join(" "), true);
}

export function start() {
  dialog.addEventListener("cancel", (e) => { e.preventDefault(); close(false); });
}

onChange((what) => { if (what === "data") draw(); });
