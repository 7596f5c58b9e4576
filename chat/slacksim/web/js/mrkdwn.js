// Slack's mrkdwn, and the small part of Markdown that markdown blocks need, as
// DOM nodes.
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { dateToken } from "./dates.js";
import { author, channel, store } from "./store.js";

const decode = (s) => s.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const textNode = (s) => document.createTextNode(emoji(decode(s)));

export function mention(id) {
  const who = author(id);
  return h("span", { class: "mention" + (id === store.user ? " me" : ""), "data-user": id }, "@" + who.name);
}

export function link(url, label) {
  if (!/^(https?:|mailto:|tel:)/i.test(url)) return h("span", null, label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

// special renders what stands between < and >.
function special(inner) {
  const bar = inner.indexOf("|");
  const body = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : inner.slice(bar + 1);
  if (body.startsWith("@")) return mention(body.slice(1));
  if (body.startsWith("#")) {
    const c = channel(body.slice(1));
    return h("span", { class: "mention" }, "#" + ((c && c.name) || label || "private channel"));
  }
  if (body.startsWith("!date^")) {
    const [, unix, format] = body.split("^");
    return dateToken(Number(unix), decode(format || ""), decode(label));
  }
  if (body.startsWith("!subteam^")) return h("span", { class: "mention" }, label || "@group");
  if (body.startsWith("!")) return h("span", { class: "mention" }, "@" + (label || body.slice(1)));
  return link(decode(body), label ? textNode(label) : decode(body));
}

const MARKS = [["*", "strong"], ["_", "em"], ["~", "s"]];

// inline renders one line without code.
function inline(s) {
  const token = /<([^<>\n]+)>/.exec(s);
  const span = firstSpan(s);
  if (token && (!span || token.index <= span.at)) {
    return [...inline(s.slice(0, token.index)), special(token[1]), ...inline(s.slice(token.index + token[0].length))];
  }
  if (span) {
    return [...inline(s.slice(0, span.at)), h(span.tag, null, ...inline(span.text)), ...inline(s.slice(span.end))];
  }
  return s ? [textNode(s)] : [];
}

// firstSpan finds the first *bold*, _italic_ or ~struck~ run of words.
function firstSpan(s) {
  let best = null;
  for (const [mark, tag] of MARKS) {
    const m = mark === "*" ? "\\*" : mark;
    const re = new RegExp(`(^|[^\\p{L}\\p{N}${m}])${m}(?=\\S)([^${m}\\n]*?\\S)${m}(?=$|[^\\p{L}\\p{N}${m}])`, "u");
    const hit = re.exec(s);
    if (!hit) continue;
    const at = hit.index + hit[1].length;
    if (!best || at < best.at) best = { at, end: at + hit[2].length + 2, text: hit[2], tag };
  }
  return best;
}

// withCode renders a line with `code` in it.
function withCode(line) {
  const out = [];
  line.split(/(`[^`\n]+`)/).forEach((part) => {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) out.push(h("code", null, decode(part.slice(1, -1))));
    else out.push(...inline(part));
  });
  return out;
}

function lines(text) {
  const out = [];
  let quote = null;
  text.split("\n").forEach((line, i, all) => {
    const quoted = /^(&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (!quote) { quote = h("blockquote"); out.push(quote); } else quote.append(h("br"));
      quote.append(...withCode(quoted[2]));
      return;
    }
    quote = null;
    out.push(...withCode(line));
    if (i < all.length - 1) out.push(h("br"));
  });
  return out;
}

// mrkdwn renders Slack's own format.
export function mrkdwn(text) {
  const out = [];
  text.split(/```([\s\S]*?)```\n?/).forEach((part, i) => {
    if (i % 2) out.push(h("pre", null, decode(part.replace(/^\n|\n$/g, ""))));
    else if (part) out.push(...lines(part));
  });
  return out;
}

// plainText renders text that is not formatted.
export function plainText(text, withEmoji = true) {
  return document.createTextNode(withEmoji ? emoji(text) : text);
}

// textObject renders a plain_text or mrkdwn object.
export function textObject(t) {
  if (!t) return [];
  return t.type === "mrkdwn" ? mrkdwn(t.text) : [plainText(t.text, t.emoji !== false)];
}

function mdInline(s) {
  const parts = s.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|_[^_\s][^_]*_|\[[^\]]+\]\([^)\s]+\))/);
  return parts.filter(Boolean).map((p) => {
    const a = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(p);
    if (a) return link(a[2], a[1]);
    if (/^`.+`$/.test(p)) return h("code", null, p.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(p)) return h("strong", null, ...mdInline(p.slice(2, -2)));
    if (/^(\*.+\*|_.+_)$/.test(p)) return h("em", null, ...mdInline(p.slice(1, -1)));
    return plainText(p);
  });
}

// markdown renders headings, lists, fences and paragraphs.
export function markdown(text) {
  const out = [];
  let list = null;
  text.split(/```[^\n]*\n([\s\S]*?)```/).forEach((part, i) => {
    if (i % 2) { out.push(h("pre", null, part.replace(/\n$/, ""))); list = null; return; }
    for (const line of part.split("\n")) {
      const item = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/.exec(line);
      const head = /^(#{1,6})\s+(.*)$/.exec(line);
      if (item) {
        const tag = item[1] ? "ol" : "ul";
        if (!list || list.localName !== tag) { list = h(tag); out.push(list); }
        list.append(h("li", null, ...mdInline(item[2])));
        continue;
      }
      list = null;
      if (head) out.push(h("p", { class: "md-head" }, h("strong", null, ...mdInline(head[2]))));
      else if (line.trim()) out.push(h("p", null, ...mdInline(line)));
    }
  });
  return out;
}
