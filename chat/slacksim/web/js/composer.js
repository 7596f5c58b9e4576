// The box to write in: commands with suggestions, mentions, history.
import { $, fill, h, say } from "./dom.js";
import { channel, explain, onChange, post, store } from "./store.js";

const box = $("composer");
const panel = $("suggestions");
let choices = [];    // {label, about, insert}
let active = -1;
let past = {};       // by person: lines sent, newest last
let back = 0;        // how far the arrow has gone into the past

function commandChoices(text) {
  const space = text.indexOf(" ");
  if (space < 0) {
    return store.fixed.commands.filter((c) => c.Name.startsWith(text)).map((c) => ({
      label: c.Name + (c.UsageHint ? " " + c.UsageHint : ""), about: c.Description, insert: c.Name + " ", match: c.Name !== text,
    }));
  }
  const cmd = store.fixed.commands.find((c) => c.Name === text.slice(0, space));
  return ((cmd && cmd.Suggestions) || []).filter((s) => s.Text.startsWith(text) && s.Text !== text)
    .map((s) => ({ label: s.Text, about: s.Description, insert: s.Text }));
}

// word is the @mention being typed at the caret.
function word() {
  const before = box.value.slice(0, box.selectionStart);
  const m = /(^|\s)@([\p{L}\p{N}._-]*)$/u.exec(before);
  return m && { start: before.length - m[2].length - 1, name: m[2].toLowerCase() };
}

function peopleChoices(w) {
  const all = store.data.people.filter((p) => !p.deleted && !p.stranger);
  return all.filter((p) => p.handle.toLowerCase().startsWith(w.name) || p.name.toLowerCase().includes(w.name)).slice(0, 8).map((p) => ({
    label: "@" + p.handle, about: p.name + (p.hint ? " · " + p.hint : ""), mention: w, insert: "@" + p.handle + " ", match: true,
  }));
}

function look() {
  const w = word();
  if (w) choices = peopleChoices(w);
  else if (box.value.startsWith("/") && !box.value.includes("\n")) choices = commandChoices(box.value);
  else choices = [];
  active = choices.length && choices[0].match ? 0 : -1;
  drawChoices();
  box.rows = Math.min(8, box.value.split("\n").length);
}

function drawChoices() {
  panel.hidden = choices.length === 0;
  fill(panel, choices.map((c, i) => h("li", {
    role: "option", id: `choice-${i}`, "aria-selected": String(i === active), onmousedown: (e) => { e.preventDefault(); pick(i); },
  }, h("span", { class: "choice-label" }, c.label), c.about && h("span", { class: "choice-about" }, c.about))));
  if (active >= 0) {
    box.setAttribute("aria-activedescendant", `choice-${active}`);
    $(`choice-${active}`).scrollIntoView({ block: "nearest" });
  } else box.removeAttribute("aria-activedescendant");
}

function pick(i) {
  const c = choices[i];
  if (c.mention) {
    const rest = box.value.slice(box.selectionStart);
    box.value = box.value.slice(0, c.mention.start) + c.insert + rest.replace(/^ /, "");
    const at = c.mention.start + c.insert.length;
    box.setSelectionRange(at, at);
  } else box.value = c.insert;
  box.focus();
  look();
}

function recall(step) {
  const lines = past[store.user] || [];
  const next = back + step;
  if (next < 0 || next > lines.length) return false;
  back = next;
  box.value = back ? lines[lines.length - back] : "";
  box.setSelectionRange(box.value.length, box.value.length);
  choices = [];
  drawChoices();
  return true;
}

async function send() {
  const text = box.value.trim();
  if (!text) return;
  past[store.user] = [...(past[store.user] || []), text];
  back = 0;
  box.value = "";
  look();
  $("scroll").scrollTop = $("scroll").scrollHeight;
  const res = await post("send", { channel: store.channel, text });
  // Slackbot tells about failed commands; only the rest is said here.
  if (!res.ok && !/^(dispatch_failed|operation_timeout|not a valid|trouble)/.test(res.error)) {
    const why = explain(res.error);
    say(why, true);
    $("composer-hint").textContent = "⚠ " + why;
  }
}

// newline sends too where a keyboard reports no key, as on phones; only
// Shift+Enter may break a line.
let shifted = false;
let sentByKey = false;
function newline(e) {
  if (e.inputType !== "insertLineBreak" || shifted) return;
  e.preventDefault();
  if (!sentByKey) send();
}

function key(e) {
  if (e.isComposing) return; // an input method is at work
  shifted = e.shiftKey;
  sentByKey = e.key === "Enter";
  const open = choices.length > 0;
  if (e.key === "Enter" && !e.shiftKey) {
    e.preventDefault();
    if (open && active >= 0) pick(active);
    else send();
  } else if (e.key === "Tab" && !e.shiftKey && open && active >= 0) {
    e.preventDefault();
    pick(active);
  } else if (e.key === "Escape" && open) {
    e.preventDefault();
    choices = [];
    drawChoices();
  } else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && open && !back) {
    e.preventDefault();
    const step = e.key === "ArrowDown" ? 1 : -1;
    active = active < 0 && step < 0 ? choices.length - 1 : (active + step + choices.length) % choices.length;
    drawChoices();
  } else if (e.key === "ArrowUp" && (box.value === "" || back)) {
    if (recall(1)) e.preventDefault();
  } else if (e.key === "ArrowDown" && back) {
    if (recall(-1)) e.preventDefault();
  }
}

// put writes a line into the box, for tips.
export function put(text) {
  box.value = text;
  box.focus();
  box.setSelectionRange(text.length, text.length);
  look();
}

export function start() {
  box.addEventListener("input", () => { back = 0; look(); });
  box.addEventListener("keydown", key);
  box.addEventListener("beforeinput", newline);
  box.addEventListener("blur", () => { choices = []; drawChoices(); });
  $("composer-form").addEventListener("submit", (e) => { e.preventDefault(); send(); box.focus(); });
}

onChange(() => {
  const c = store.data && channel(store.channel);
  if (!c) return;
  const to = c.direct ? store.fixed.bot.Name : "#" + c.name;
  box.placeholder = `Message ${to}`;
  box.setAttribute("aria-label", `Message ${to}`);
});
