// What to try first. Shown until it is put away, once for this browser.
import { $, avatar, fill, h } from "./dom.js";
import { onChange, person, store } from "./store.js";
import { become } from "./sidebar.js";
import { put } from "./composer.js";

const KEY = "slacksim-tips";
let gone = false;
try { gone = localStorage.getItem(KEY) === "gone"; } catch { /* no storage: show them */ }

function tip(t) {
  const who = t.As && person(t.As);
  return h("li", null,
    h("span", null, t.Text),
    t.Try && h("button", { type: "button", class: "try", onclick: () => { if (who && who.id !== store.user) become(who.id); put(t.Try); } },
      who && avatar(who, "small"), h("code", null, t.Try)),
    !t.Try && who && h("button", { type: "button", class: "try", onclick: () => become(who.id) }, avatar(who, "small"), "Be " + who.name));
}

onChange(() => {
  if (!store.data) return;
  const box = $("tips");
  const tips = store.fixed.tips;
  if (gone || !tips.length) { box.hidden = true; return; }
  if (!box.hidden) return; // drawn once
  box.hidden = false;
  fill(box,
    h("h2", null, "Try this first"),
    h("ol", null, tips.map(tip)),
    h("button", { type: "button", class: "dismiss", id: "tips-close", onclick: () => {
      gone = true;
      box.hidden = true;
      try { localStorage.setItem(KEY, "gone"); } catch { /* only for this page then */ }
      $("composer").focus();
    } }, "Put away"));
});
