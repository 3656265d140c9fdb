/** Slack's rich_text block, from elements to nodes. */

import { h } from "./dom.js";
import { broadcast, channelMention, date, emojiSpan, groupMention, link, userMention } from "./entities.js";

const STYLES = [
  ["code", "code"],
  ["bold", "strong"],
  ["italic", "em"],
  ["strike", "s"],
  ["underline", "u"],
];
const NUMBERING = ["decimal", "lower-alpha", "lower-roman"];

export function richText(block) {
  return h("div", { class: "rich" }, (block.elements ?? []).map(part));
}

/** Only the text of a rich_text cell or section, without the block's own box. */
export function richInline(block) {
  return (block.elements ?? []).flatMap((element) => inlines(element));
}

function part(element) {
  switch (element.type) {
    case "rich_text_section":
      return h("div", { class: "rich-section" }, inlines(element));
    case "rich_text_list":
      return list(element);
    case "rich_text_quote":
      return h("blockquote", {}, inlines(element));
    case "rich_text_preformatted":
      return h("pre", {}, inlines(element));
    default:
      return null;
  }
}

function list(element) {
  const indent = Math.min(element.indent ?? 0, 8);
  const ordered = element.style === "ordered";
  const node = h(
    ordered ? "ol" : "ul",
    { class: `rich-list indent-${indent}`, start: ordered && element.offset ? element.offset + 1 : null },
    (element.elements ?? []).map((item) => h("li", {}, inlines(item))),
  );
  if (ordered) node.style.listStyleType = NUMBERING[indent % NUMBERING.length];
  return node;
}

function inlines(element) {
  return (element.elements ?? []).flatMap((child) => styled(inline(child), child.style));
}

function inline(element) {
  switch (element.type) {
    case "text":
      return broken(element.text ?? "");
    case "link":
      return [link(element.url ?? "", element.text)];
    case "user":
      return [userMention(element.user_id)];
    case "usergroup":
      return [groupMention(element.usergroup_id)];
    case "channel":
      return [channelMention(element.channel_id)];
    case "broadcast":
      return [broadcast(element.range)];
    case "emoji":
      return [emojiSpan(element.name, element.unicode)];
    case "date":
      return [date(Number(element.timestamp), element.format ?? "", element.url, element.fallback ?? "")];
    case "color":
      return [swatch(element.value)];
    default:
      return [];
  }
}

const broken = (text) => text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));

function styled(nodes, style = {}) {
  const wanted = STYLES.filter(([name]) => style[name]);
  return wanted.reduce((inner, [, tag]) => [h(tag, {}, inner)], nodes);
}

function swatch(value) {
  const chip = h("span", { class: "swatch" });
  if (/^#[0-9a-f]{6}$/i.test(value)) chip.style.backgroundColor = value;
  return h("span", {}, chip, value);
}
