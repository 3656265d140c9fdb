/** Slack's mrkdwn, from text to nodes. */

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { broadcast, channelMention, date, emojiSpan, groupMention, link, userMention } from "./entities.js";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const EMPHASIS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

const unescape = (text) => text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);

/** A `plain_text` or `mrkdwn` text object as nodes. */
export function textObject(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text ?? "");
  const text = object.emoji === false ? object.text : withEmoji(object.text ?? "");
  return lines(unescape(text), (line) => [line]);
}

/** Plain words of a text object, for labels and titles. */
export const words = (object) => (object ? withEmoji(unescape(object.text ?? "")) : "");

export function mrkdwn(text) {
  return text.split(/```/).flatMap((part, index, all) => {
    const fenced = index % 2 === 1;
    if (fenced && index < all.length - 1) return [preformatted(part)];
    return paragraphs(fenced ? `\`\`\`${part}` : trimmed(part, index, all.length));
  });
}

// The line breaks around a fence belong to the fence.
function trimmed(part, index, count) {
  const start = index > 0 ? part.replace(/^\n/, "") : part;
  return index < count - 1 ? start.replace(/\n$/, "") : start;
}

const preformatted = (text) => h("pre", {}, inlineOnlyEntities(text.replace(/^\n|\n$/g, "")));

function paragraphs(text) {
  const runs = [];
  for (const line of text === "" ? [] : text.split("\n")) {
    const [, quoted] = /^(?:>|&gt;) ?(.*)$/.exec(line) ?? [];
    const last = runs.at(-1);
    const body = quoted ?? line;
    if (last && last.quote === (quoted !== undefined)) last.text += `\n${body}`;
    else runs.push({ quote: quoted !== undefined, text: body });
  }
  return runs.flatMap((run) => (run.quote ? [h("blockquote", {}, lines(run.text, inline))] : lines(run.text, inline)));
}

function lines(text, each) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), ...each(line)] : each(line)));
}

/** One line: code, entities, emoji, and emphasis that may hold all of them. */
function inline(text) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(unescape(plain));
    plain = "";
  };
  for (let at = 0; at < text.length;) {
    const found = token(text, at);
    if (found) {
      flush();
      nodes.push(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

function token(text, at) {
  switch (text[at]) {
    case "`":
      return code(text, at);
    case "<":
      return angle(text, at);
    case ":":
      return colon(text, at);
    case "*":
    case "_":
    case "~":
      return emphasis(text, at);
    default:
      return null;
  }
}

function code(text, at) {
  const end = text.indexOf("`", at + 1);
  return end > at + 1 ? { node: h("code", {}, inlineOnlyEntities(text.slice(at + 1, end))), end: end + 1 } : null;
}

function colon(text, at) {
  const match = /^:([a-z0-9_+-]+):/.exec(text.slice(at, at + 60));
  return match ? { node: emojiSpan(match[1]), end: at + match[0].length } : null;
}

/** Emphasis opens at a word's start and closes at a word's end, so `snake_case_name` and `2*3*4` stay as they are. */
function emphasis(text, at) {
  const mark = text[at];
  const before = text[at - 1] ?? " ";
  if (WORD.test(before) || before === mark || (/[\s*_~]/.test(text[at + 1] ?? " ") && !nests(text, at))) return null;
  for (let end = text.indexOf(mark, at + 2); end > 0; end = text.indexOf(mark, end + 1)) {
    const closes = !/\s/.test(text[end - 1]) && !WORD.test(text[end + 1] ?? " ");
    if (closes) return { node: h(EMPHASIS[mark], {}, inline(text.slice(at + 1, end))), end: end + 1 };
  }
  return null;
}

// `*_both_*`: another mark right behind this one.
const nests = (text, at) => text[at + 1] in EMPHASIS && text[at + 1] !== text[at];

function angle(text, at) {
  const end = text.indexOf(">", at);
  if (end < 0 || end === at + 1) return null;
  const node = entity(text.slice(at + 1, end));
  return node && { node, end: end + 1 };
}

function entity(body) {
  const bar = body.indexOf("|");
  const [target, rest] = bar < 0 ? [body, ""] : [body.slice(0, bar), unescape(body.slice(bar + 1))];
  if (/^@[UW]/.test(target)) return userMention(target.slice(1));
  if (target.startsWith("#C")) return channelMention(target.slice(1), rest);
  if (target.startsWith("!subteam^")) return groupMention(target.slice("!subteam^".length));
  if (target.startsWith("!date^")) return dateEntity(target, rest);
  if (/^!(here|channel|everyone)$/.test(target)) return broadcast(target.slice(1));
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return link(unescape(target), withEmoji(rest));
  return null;
}

function dateEntity(target, fallback) {
  const [, seconds, pattern, url] = target.split("^");
  return date(Number(seconds), pattern ?? "", url && unescape(url), fallback);
}

/** Code keeps its marks, but Slack still resolves what stands in angle brackets there to words. */
function inlineOnlyEntities(text) {
  return unescape(
    text.replace(/<([^<>|\s]+)(?:\|([^<>]*))?>/g, (whole, target, label) => {
      const node = entity(label === undefined ? target : `${target}|${label}`);
      return node ? node.textContent : whole;
    }),
  );
}
