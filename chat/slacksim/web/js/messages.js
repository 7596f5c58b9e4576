// The open channel: its messages, kept in place while they change.
import { $, add, avatar, fill, h, language, say } from "./dom.js";
import { author, channel, onChange, post, store, visit } from "./store.js";
import { mrkdwn } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { dayOf, stamp } from "./dates.js";

let shown = "";          // user/channel on the screen
let nodes = new Map();   // by ts: {json, el}
let newest = "";

const plain = (m) => {
  const box = h("div", null, mrkdwn(m.text || ""), blocks(context(m), m.blocks));
  return box.textContent.replace(/\s+/g, " ").slice(0, 300);
};

function context(m) {
  return { at: { channel: store.channel, ts: m.ts }, root: () => nodes.get(m.ts)?.el || document.createElement("div") };
}

function body(m) {
  const lang = language(JSON.stringify([m.text, m.blocks]));
  if (m.command) return h("div", { class: "text typed", lang }, mrkdwn(m.text));
  if (m.blocks && m.blocks.length) return h("div", { class: "blocks", lang }, blocks(context(m), m.blocks));
  return h("div", { class: "text", lang }, mrkdwn(m.text || ""));
}

function message(m) {
  const who = author(m.author);
  const el = h("li", {
    class: "message" + (m.ephemeral ? " ephemeral" : "") + (m.thread && m.thread !== m.ts ? " reply" : ""),
    "data-ts": m.ts, "data-author": m.author, tabIndex: -1,
  });
  add(el, [
    m.ephemeral && h("p", { class: "only-you" }, h("span", { "aria-hidden": "true" }, "👁 "), "Only visible to you",
      h("button", { type: "button", class: "dismiss", onclick: () => { post("dismiss", { channel: store.channel, ts: m.ts }); $("composer").focus(); } }, "Dismiss message")),
    avatar(who),
    h("div", { class: "message-main" },
      h("div", { class: "byline" }, h("span", { class: "author" }, who.name), who.app && h("span", { class: "app-tag" }, "APP"),
        who.foreign && h("span", { class: "app-tag" }, who.team || "external"), stamp(m.ts)),
      body(m),
      m.edited && h("span", { class: "edited" }, "(edited)")),
  ]);
  return el;
}

// ordered puts replies below what they reply to.
function ordered(list) {
  const roots = list.filter((m) => !m.thread || m.thread === m.ts || !list.some((o) => o.ts === m.thread));
  return roots.flatMap((r) => [r, ...list.filter((m) => m.thread === r.ts && m.ts !== r.ts)]);
}

// refocus finds the place of the focus again after a message was redrawn.
function refocus(old, fresh) {
  const at = document.activeElement;
  if (!old.contains(at)) return;
  const id = at.dataset.actionId;
  const same = id && [...fresh.querySelectorAll("[data-action-id]")].find((n) => n.dataset.actionId === id && n.dataset.value === at.dataset.value);
  queueMicrotask(() => (same || fresh).focus({ preventScroll: true }));
}

function keepTyped(old, fresh) {
  for (const f of old.querySelectorAll("input[data-field], textarea[data-field], select[data-field]")) {
    const same = [...fresh.querySelectorAll("[data-field]")].find((n) => n.dataset.field === f.dataset.field);
    if (same && "value" in same) same.value = f.value;
  }
}

function draw() {
  const c = channel(store.channel);
  if (!c) return;
  const key = store.user + "/" + store.channel;
  const list = ordered(store.messages[store.channel] || []);
  const scroll = $("scroll");
  const fresh = key !== shown;
  const atEnd = fresh || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  if (fresh) { nodes = new Map(); shown = key; newest = list.length ? list[list.length - 1].ts : ""; }
  const next = new Map();
  const flow = list.length < 200 ? [intro(c)] : [];
  let day = "";
  for (const m of list) {
    const json = JSON.stringify(m);
    let node = nodes.get(m.ts);
    if (!node || node.json !== json) {
      const el = message(m);
      if (node) { keepTyped(node.el, el); refocus(node.el, el); }
      node = { json, el };
    }
    next.set(m.ts, node);
    if (dayOf(m.ts) !== day) {
      day = dayOf(m.ts);
      flow.push(h("li", { class: "day" }, h("span", null, day)));
    }
    flow.push(node.el);
  }
  nodes = next;
  place($("messages"), flow);
  announce(list, c);
  if (atEnd) requestAnimationFrame(() => { scroll.scrollTop = scroll.scrollHeight; }); // after the tips are drawn
}

let start = { key: "", el: null };

// intro opens a conversation that is seen from its beginning.
function intro(c) {
  const key = c.id + c.topic;
  if (start.key === key) return start.el;
  const el = h("li", { class: "intro" },
    h("h2", null, c.direct ? store.fixed.bot.Name : [c.private ? "🔒 " : "# ", c.name]),
    h("p", null, c.direct ? "Between you and the app alone: nobody else reads here." : `The beginning of this channel. ${c.topic || ""}`));
  start = { key, el };
  return el;
}

// place changes only what differs, so that the focus stays.
function place(root, flow) {
  let at = root.firstChild;
  for (const el of flow) {
    if (at === el) { at = at.nextSibling; continue; }
    root.insertBefore(el, at);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

function announce(list, c) {
  const news = list.filter((m) => m.ts > newest && m.author !== store.user);
  if (list.length) newest = list.reduce((a, m) => (m.ts > a ? m.ts : a), newest);
  if (news.length) {
    say(news.map((m) => `${author(m.author).name}${m.ephemeral ? ", only visible to you" : ""}: ${plain(m)}`).join(". "));
  }
  if (c.unread && document.visibilityState === "visible") post("read", { channel: c.id });
}

function head() {
  const c = channel(store.channel);
  if (!c) return;
  const bot = store.fixed.bot;
  fill($("channel-name"), c.direct ? bot.Name : [h("span", { class: "sigil", "aria-hidden": "true" }, c.private ? "🔒" : "#"), c.name]);
  fill($("channel-topic"),
    c.direct ? "Direct messages with the app" : c.topic,
    c.private && !c.direct && h("span", { class: "chip" }, "private"),
    c.shared && h("span", { class: "chip warn" }, "shared with another organisation"));
  const home = c.direct && store.data.home;
  $("tabs").hidden = !home;
  if (home) {
    fill($("tabs"), ["messages", "home"].map((t) => h("button", {
      type: "button", class: "tab", "aria-pressed": String(store.tab === t), "data-tab": t,
      onclick: () => { if (t === "home") post("home", {}); visit(c.id, t); },
    }, t === "home" ? "Home" : "Messages")));
  }
  const onHome = Boolean(home && store.tab === "home");
  $("home").hidden = !onHome;
  $("messages").hidden = onHome;
  if (onHome) fill($("home"), h("div", { class: "blocks" }, blocks({ at: { view: home.id }, root: () => $("home") }, home.blocks)));
  document.title = `${c.direct ? bot.Name : "#" + c.name} · ${store.fixed.team.Name}`;
}

onChange((what) => {
  if (what === "down") return;
  if (!store.data || !channel(store.channel)) return;
  head();
  draw();
});
