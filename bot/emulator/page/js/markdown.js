/** The markdown block: the part of standard Markdown that Slack draws, from text to nodes. */

import { h } from "./dom.js";
import { emojiSpan, link } from "./entities.js";

const FENCE = /^ {0,3}```/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const [node, next] = blockAt(lines, at);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (line.trim() === "") return [null, at + 1];
  if (FENCE.test(line)) return fence(lines, at);
  if (RULE.test(line)) return [h("hr"), at + 1];
  const heading = HEADING.exec(line);
  if (heading)
    return [
      h(
        "div",
        { class: `md-heading md-h${heading[1].length}`, role: "heading", "aria-level": heading[1].length + 1 },
        inline(heading[2]),
      ),
      at + 1,
    ];
  if (QUOTE.test(line)) return quote(lines, at);
  if (ITEM.test(line)) return list(lines, at);
  if (startsTable(lines, at)) return table(lines, at);
  return paragraph(lines, at);
}

function takeWhile(lines, at, test) {
  let end = at;
  while (end < lines.length && test(lines[end], end)) end += 1;
  return [lines.slice(at, end), end];
}

function fence(lines, at) {
  const [body, end] = takeWhile(lines, at + 1, (line) => !FENCE.test(line));
  return [h("pre", {}, body.join("\n")), end + 1];
}

function quote(lines, at) {
  const [body, end] = takeWhile(lines, at, (line) => QUOTE.test(line));
  return [h("blockquote", {}, markdown(body.map((line) => QUOTE.exec(line)[1]).join("\n"))), end];
}

function paragraph(lines, at) {
  const starts = (line, index) =>
    index > at && (line.trim() === "" || [FENCE, RULE, HEADING, QUOTE, ITEM].some((kind) => kind.test(line)));
  const [body, end] = takeWhile(lines, at, (line, index) => !starts(line, index));
  return [
    h(
      "p",
      {},
      body.flatMap((line, index) => (index ? [h("br"), ...inline(line)] : inline(line))),
    ),
    end,
  ];
}

function list(lines, at) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const depth = indent.length;
  const items = [];
  let next = at;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next]);
    if (!item || item[1].length < depth) break;
    if (item[1].length > depth) {
      const [nested, end] = list(lines, next);
      items.at(-1).append(nested);
      next = end;
    } else {
      items.push(h("li", {}, task(item[3])));
      next += 1;
    }
  }
  return [h(/\d/.test(mark) ? "ol" : "ul", {}, items), next];
}

function task(text) {
  const [, mark, rest] = /^\[([ xX])\]\s+(.*)$/.exec(text) ?? [];
  return mark === undefined ? inline(text) : [mark === " " ? "☐ " : "☑ ", ...inline(rest)];
}

const startsTable = (lines, at) =>
  lines[at].includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && lines[at + 1].includes("-");
const cells = (line) =>
  line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());

function table(lines, at) {
  const align = cells(lines[at + 1]).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left",
  );
  const [body, end] = takeWhile(lines, at + 2, (line) => line.includes("|"));
  const row = (line, tag) =>
    h(
      "tr",
      {},
      cells(line).map((cell, index) => h(tag, { class: `to-${align[index] ?? "left"}` }, inline(cell))),
    );
  const node = h(
    "table",
    {},
    h("thead", {}, row(lines[at], "th")),
    h(
      "tbody",
      {},
      body.map((line) => row(line, "td")),
    ),
  );
  return [h("div", { class: "table-scroll" }, node), end];
}

const INLINE = [
  [/^\\([\\`*_{}[\]()#+\-.!|~<>])/, ([, character]) => character],
  [/^`([^`]+)`/, ([, code]) => h("code", {}, code)],
  [/^!\[([^\]]*)\]\(([^()\s]+)\)/, ([, label, url]) => link(url, label || url)],
  [/^\[([^\]]+)\]\(([^()\s]+)\)/, ([, label, url]) => link(url, label)],
  [/^<(https?:[^<>\s]+)>/, ([, url]) => link(url)],
  [/^https?:\/\/[^\s<>()]+[^\s<>().,;:!?]/, ([url]) => link(url)],
  [/^\*\*(?=\S)([^\n]*?\S)\*\*/, ([, inner]) => h("strong", {}, inline(inner))],
  [/^__(?=\S)([^\n]*?\S)__(?!\w)/, ([, inner]) => h("strong", {}, inline(inner))],
  [/^~~(?=\S)([^\n]*?\S)~~/, ([, inner]) => h("s", {}, inline(inner))],
  [/^\*(?=[^\s*])([^\n*]*[^\s*])\*/, ([, inner]) => h("em", {}, inline(inner))],
  [/^_(?=[^\s_])([^\n_]*[^\s_])_(?!\w)/, ([, inner]) => h("em", {}, inline(inner))],
  [/^:([a-z0-9_+-]+):/, ([, name]) => emojiSpan(name)],
];

function inline(text) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const found = /[\\`![<h*_~:]/.test(text[at]) && match(text.slice(at), text[at - 1] ?? " ");
    if (found) {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(found.node);
      at += found.length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  return plain ? [...nodes, plain] : nodes;
}

function match(rest, before) {
  if (/[_h]/.test(rest[0]) && /\w/.test(before)) return null;
  for (const [pattern, build] of INLINE) {
    const found = pattern.exec(rest);
    if (found) return { node: build(found), length: found[0].length };
  }
  return null;
}
