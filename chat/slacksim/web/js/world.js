// What happens around the app: levers beside the chat, such as a line that is
// cut or a router that restarts.
import { $, fill, h, say } from "./dom.js";
import { onChange, post, store } from "./store.js";

let open = false;
let busy = "";  // the lever that is being pulled
let said = "";  // what came of the last one

function show(on) {
  open = on;
  draw();
  if (on) $("panel").querySelector(".lever")?.focus();
  else $("world-open").focus();
}

async function pull(lever) {
  if (busy) return;
  busy = lever.ID;
  said = "";
  draw();
  const answer = await post("pull", { action: lever.ID });
  busy = "";
  said = answer.ok ? answer.text : answer.error;
  say(said);
  draw();
}

function row(lever) {
  return h("li", null, h("button", {
    type: "button", class: "lever", "data-lever": lever.ID, "aria-disabled": busy ? "true" : undefined,
    "aria-pressed": lever.Toggle ? String(lever.On) : undefined, onclick: () => pull(lever),
  }, h("span", null, h("strong", null, lever.Label), lever.Hint && h("small", null, lever.Hint)),
  busy === lever.ID ? h("span", { class: "state" }, "…") : lever.Toggle && h("span", { class: "state" }, lever.On ? "on" : "off")));
}

function draw() {
  const levers = (store.data && store.data.levers) || [];
  $("world-open").hidden = levers.length === 0;
  $("world-open").setAttribute("aria-expanded", String(open));
  const panel = $("panel");
  panel.hidden = !open || levers.length === 0;
  if (panel.hidden) return;
  const focus = panel.contains(document.activeElement) ? document.activeElement.dataset.lever : "";
  const groups = [...new Set(levers.map((l) => l.Group))];
  fill(panel,
    h("header", null, h("h2", { id: "panel-title" }, "The world outside"),
      h("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => show(false) }, "✕")),
    h("p", { id: "panel-said" }, said),
    groups.map((g) => h("section", null, h("h3", null, g), h("ul", null, levers.filter((l) => l.Group === g).map(row)))));
  if (focus) panel.querySelector(`[data-lever="${focus}"]`)?.focus({ preventScroll: true });
}

$("world-open").addEventListener("click", () => show(!open));
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && open && $("panel").contains(document.activeElement)) show(false);
});
onChange(() => { if (store.data) draw(); });
