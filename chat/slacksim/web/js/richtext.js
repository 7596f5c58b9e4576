// rich_text blocks and the cells of tables.
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { dateToken } from "./dates.js";
import { link, mention } from "./mrkdwn.js";
import { channel } from "./store.js";

const STYLES = [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]];

function piece(e) {
  let node;
  switch (e.type) {
    case "text": node = document.createTextNode(e.text); break;
    case "link": node = link(e.url, e.text || e.url); break;
    case "user": node = mention(e.user_id); break;
    case "channel": node = h("span", { class: "mention" }, "#" + ((channel(e.channel_id) || {}).name || "channel")); break;
    case "broadcast": node = h("span", { class: "mention" }, "@" + e.range); break;
    case "emoji": node = document.createTextNode(emoji(`:${e.name}:`)); break;
    case "date": node = dateToken(e.timestamp, e.format, e.fallback || ""); break;
    case "color": node = document.createTextNode(e.value); break;
    default: return "";
  }
  for (const [name, tag] of STYLES) {
    if (e.style && e.style[name]) node = h(tag, null, node);
  }
  return node instanceof Node ? node : document.createTextNode(node);
}

function part(e) {
  const inner = (e.elements || []).map((x) => (x.type === "rich_text_section" ? part(x) : piece(x)));
  switch (e.type) {
    case "rich_text_list":
      return h(e.style === "ordered" ? "ol" : "ul", { class: "indent-" + (e.indent || 0) }, inner.map((i) => h("li", null, i)));
    case "rich_text_quote": return h("blockquote", null, inner);
    case "rich_text_preformatted": return h("pre", null, inner);
    default: return h("div", { class: "rich-line" }, inner);
  }
}

export const richText = (block) => (block.elements || []).map(part);
