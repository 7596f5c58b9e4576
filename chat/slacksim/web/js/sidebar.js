// The switch between people, the list of channels, and the drawer that holds
// both on a small screen.
import { $, avatar, fill, h, say } from "./dom.js";
import { channel, follow, me, onChange, store, visit } from "./store.js";

const playable = (p) => !p.deleted && !p.bot && !p.stranger;

function role(p) {
  if (p.hint) return p.hint;
  if (p.foreign) return "member of " + (p.team || "another organisation");
  return p.guest ? "guest" : "member";
}

const badge = (n) => n > 0 && h("span", { class: "badge" }, n > 99 ? "99+" : String(n), h("span", { class: "hidden" }, " unread"));

function row(p) {
  const here = p.id === store.user;
  return h("li", null, h("button", {
    type: "button", class: "person", "data-person": p.id, "aria-current": here ? "true" : undefined,
    onclick: () => become(p.id),
  }, avatar(p), h("span", { class: "person-text" }, h("span", { class: "person-name" }, p.name), h("span", { class: "person-role" }, role(p))),
  here ? h("span", { class: "here" }, "you") : badge(p.unread)));
}

function link(c) {
  const here = c.id === store.channel;
  const bot = store.fixed.bot;
  return h("li", null, h("button", {
    type: "button", class: "channel" + (c.unread && !here ? " unread" : ""), "data-channel": c.id, "data-direct": c.direct ? "app" : undefined,
    "aria-current": here ? "page" : undefined,
    onclick: () => { visit(c.id); drawer(false); settle(); },
  }, c.direct ? avatar({ id: bot.UserID, name: bot.Name, app: true }, "small") : h("span", { class: "sigil", "aria-hidden": "true" }, c.private ? "🔒" : "#"),
  h("span", { class: "channel-name" }, c.direct ? bot.Name : c.name),
  c.shared && h("span", { class: "shared", title: "Shared with another organisation" }, "⇄", h("span", { class: "hidden" }, " shared")),
  !here && badge(c.unread)));
}

// become switches to another person.
export function become(user) {
  const p = store.data.people.find((x) => x.id === user);
  store.user = user;
  history.replaceState(null, "", `#/${user}/${store.channel}`);
  say(`You are now ${p.name}, ${role(p)}`);
  drawer(false);
  $("composer").value = ""; // what one person began is not another's
  follow(user);
  settle();
}

// settle puts the focus where one goes on: into the box, but not where that
// would bring up a keyboard over what is to be read.
function settle() {
  $(matchMedia("(pointer: coarse)").matches ? "channel-name" : "composer").focus();
}

// list redraws a list without losing the focus inside it.
function list(root, items) {
  const at = document.activeElement;
  const key = root.contains(at) ? (at.dataset.person || at.dataset.channel) : "";
  fill(root, items);
  if (key) root.querySelector(`[data-person="${key}"],[data-channel="${key}"]`)?.focus({ preventScroll: true });
}

function draw() {
  const { data, fixed } = store;
  fill($("team"), h("span", { class: "team-name" }, fixed.team.Name), h("span", { class: "team-sub" }, "practice workspace"));
  list($("people"), data.people.filter(playable).map(row));
  list($("channels"), data.channels.filter((c) => !c.direct).map(link));
  const directs = data.channels.filter((c) => c.direct);
  $("directs-section").hidden = directs.length === 0;
  list($("directs"), directs.map(link));
  menuBadge();
  fill($("me"), avatar(me()), h("span", { class: "me-text" }, h("strong", null, me().name), h("span", null, role(me()))));
  $("banner").hidden = data.connections > 0;
  if (!data.connections) fill($("banner"), `${fixed.bot.Name} is not connected. Commands and buttons will fail until it is.`);
}

// menuBadge counts what waits for this person; a dot says that something waits
// for others.
function menuBadge() {
  const { data } = store;
  const mine = data.channels.reduce((n, c) => n + (c.id === store.channel ? 0 : c.unread), 0);
  const others = data.people.some((p) => p.id !== store.user && playable(p) && p.unread);
  const at = $("menu-badge");
  at.hidden = !mine && !others;
  at.classList.toggle("dot", !mine);
  fill(at, mine ? [String(Math.min(99, mine)), h("span", { class: "hidden" }, " unread")]
    : h("span", { class: "hidden" }, "other people have unread messages"));
}

// drawer opens or closes the sidebar on a small screen.
function drawer(open) {
  const narrow = getComputedStyle($("menu")).display !== "none";
  document.body.classList.toggle("drawer", open && narrow);
  $("shade").hidden = !(open && narrow);
  $("menu").setAttribute("aria-expanded", String(open && narrow));
  $("main").inert = open && narrow;
  if (open && narrow) $("people").querySelector("[aria-current]")?.focus();
}

export function start() {
  $("menu").addEventListener("click", () => drawer(true));
  $("me").addEventListener("click", () => drawer(true)); // a short cut for thumbs
  $("shade").addEventListener("click", () => { drawer(false); $("menu").focus(); });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && document.body.classList.contains("drawer")) { drawer(false); $("menu").focus(); }
  });
  addEventListener("resize", () => drawer(false));
}

onChange((what) => {
  if (what === "down") {
    $("banner").hidden = false;
    fill($("banner"), "The practice workspace is not answering. Trying again…");
    return;
  }
  if (!store.data) return;
  if (!channel(store.channel)) {
    const first = store.data.channels.find((c) => !c.direct) || store.data.channels[0];
    if (first) { visit(first.id); return; }
  }
  draw();
});

