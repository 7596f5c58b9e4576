// What to try first. Shown until it is put away, once for this browser.
import { $, avatar, fill, h } from "./dom.js";
import { onChange, person, store, visit } from "./store.js";
import { become } from "./sidebar.js";
import { put } from "./composer.js";

const KEY = "slacksim-tips";
let gone = false;
try { gone = localStorage.getItem(KEY) === "gone"; } catch { /* no storage: show them */ }

// whole keeps lines from breaking inside a word such as --site.
const whole = (text) => text.split(" ").flatMap((w, i) => [i ? " " : "", h("span", { class: "whole" }, w)]);

function tip(t) {
  const who = t.As && person(t.As);
  return h("li", null,
    h("span", null, t.Text),
    t.Try && h("button", { type: "button", class: "try", onclick: () => { if (who && who.id !== store.user) become(who.id); put(t.Try); } },
      who && avatar(who, "small"), h("code", null, whole(t.Try))),
    !t.Try && who && h("button", { type: "button", class: "try", onclick: () => be(who.id) }, avatar(who, "small"), "Be " + who.name));
}

let leading = ""; // to whom a tip leads

function be(user) {
  leading = user;
  if (user !== store.user) become(user);
  else lead();
}

// lead opens what waits for the person: a direct message, or else the first
// channel.
function lead() {
  if (!leading || leading !== store.data.user) return;
  leading = "";
  const all = store.data.channels;
  const there = all.find((c) => c.direct && c.unread) || all.find((c) => !c.direct);
  if (there && there.id !== store.channel) visit(there.id);
}

onChange(() => {
  if (!store.data) return;
  lead();
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
