// The question that an element may ask before it acts.
import { $, fill, h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

export function confirmWith(c) {
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const done = (yes) => { dialog.close(); resolve(yes); };
    fill(dialog,
      h("h2", { id: "confirm-title" }, textObject(c.title)),
      h("p", { id: "confirm-text" }, textObject(c.text)),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "button", id: "confirm-no", onclick: () => done(false) }, textObject(c.deny)),
        h("button", { type: "button", class: "button " + (c.style || "primary"), id: "confirm-yes", onclick: () => done(true) }, textObject(c.confirm))));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
    $("confirm-yes").focus();
  });
}
