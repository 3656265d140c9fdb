/** What a message may point at: people, groups, channels, links, dates. Shared by mrkdwn and rich text. */

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { channelName, displayName, findChannel, findGroup, findUser, placeHash, store } from "./store.js";
import { datePattern, fullTime } from "./time.js";

const SAFE = /^(https?:|mailto:|tel:)/i;
const PERMALINK = /\/archives\/([A-Z0-9]+)\/p(\d{10})(\d{6})/;

/** A link to a safe address; the bare words where the address is of any other kind. */
export function link(url, label) {
  const words = label || url.replace(/^(mailto|tel):/i, "");
  const local = permalink(url);
  if (local) return h("a", { href: local }, words);
  if (!SAFE.test(url)) return h("span", { class: "unsafe-link", title: "Not a web address, so not a link" }, words);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, words);
}

/** The place on this page that a message's permalink means, or null. */
function permalink(url) {
  const [, channel, seconds, micros] = PERMALINK.exec(url) ?? [];
  if (!channel || !findChannel(channel)) return null;
  const thread = new URLSearchParams(url.split("?")[1]).get("thread_ts");
  return placeHash({ channel, message: `${seconds}.${micros}`, thread });
}

export function userMention(id) {
  const user = findUser(id);
  const mine = id === store.place.user;
  const name = user ? displayName(user) : id;
  return h("span", { class: mine ? "mention mine" : "mention", title: user?.profile?.title || null }, `@${name}`);
}

export function groupMention(id) {
  const group = findGroup(id);
  const mine = group?.users?.includes(store.place.user);
  const members = (group?.users ?? []).map((user) => displayName(findUser(user))).join(", ");
  return h("span", { class: mine ? "mention mine" : "mention", title: members || null }, `@${group?.handle ?? id}`);
}

export function channelMention(id, label) {
  const channel = findChannel(id);
  const name = channel ? channelName(channel) : label || "private-channel";
  if (!channel) return h("span", { class: "mention" }, `#${name}`);
  return h("a", { class: "mention", href: placeHash({ channel: id }) }, `#${name}`);
}

export const broadcast = (range) => h("span", { class: "mention mine" }, `@${range}`);

export function date(seconds, pattern, url, fallback) {
  const text = Number.isFinite(seconds) ? datePattern(seconds, pattern) : null;
  if (text === null) return document.createTextNode(fallback);
  const time = h("time", { datetime: new Date(seconds * 1000).toISOString(), title: fullTime(seconds) }, text);
  return url ? link(url, text) : time;
}

export function emojiSpan(name, unicode) {
  const character = emoji(name) ?? fromCodes(unicode);
  return character
    ? h("span", { class: "emoji", role: "img", "aria-label": name }, character)
    : document.createTextNode(`:${name}:`);
}

function fromCodes(unicode) {
  const codes = (unicode ?? "").split("-").map((code) => Number.parseInt(code, 16));
  return codes.every((code) => code > 0 && code < 0x110000) ? String.fromCodePoint(...codes) : null;
}
