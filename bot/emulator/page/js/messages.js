/** Messages: one row each, and a channel's list of them by day. */

import { avatar } from "./avatar.js";
import { blocks } from "./blocks.js";
import { h, icon, reconcile } from "./dom.js";
import { originKey } from "./elements.js";
import { mrkdwn } from "./mrkdwn.js";
import { displayName, findChannel, findUser, lookBack, messagesOf, placeHash, store } from "./store.js";
import { clockTime, dayLabel, fullTime, isoDay, now, pastTime } from "./time.js";
import { dismissal, dismissed, toolbar } from "./tools.js";

const TOGETHER = 300; // seconds within which one author's plain messages share a head

/** Draws the channel's messages into a list element. */
export function renderMessages(list, channel) {
  const shown = messagesOf(channel).filter((message) => inChannel(message) && !dismissed(message));
  const rows = shown.flatMap((message, index) => withDay(message, shown[index - 1], channel));
  reconcile(list, findChannel(channel).earlier ? [EARLIER, ...rows] : rows);
}

const EARLIER = {
  key: "earlier",
  print: "",
  build: () =>
    h(
      "button",
      { type: "button", class: "btn earlier", "data-testid": "earlier", onclick: showEarlier },
      "Show earlier messages",
    ),
};

/** Puts more above what the reader sees, who stays there. */
async function showEarlier(event) {
  const { id } = event.currentTarget.parentElement.querySelector(".message");
  await lookBack().catch(() => undefined);
  const row = document.getElementById(id);
  row?.scrollIntoView();
  row?.focus({ preventScroll: true });
}

function withDay(message, before, channel) {
  const day = isoDay(Number(message.ts));
  const compact = continues(message, before);
  const item = messageItem(message, channel, { compact });
  if (before && isoDay(Number(before.ts)) === day) return [item];
  const label = dayLabel(Number(message.ts));
  return [
    {
      key: `day/${day}`,
      print: label,
      build: () => h("div", { class: "day", role: "separator" }, h("span", {}, label)),
    },
    item,
  ];
}

function continues(message, before) {
  const plain = (one) => one && !one.blocks?.length && !one.is_ephemeral;
  return (
    plain(message) &&
    plain(before) &&
    before.user === message.user &&
    before.bot_id === message.bot_id &&
    !before.reply_count &&
    Number(message.ts) - Number(before.ts) < TOGETHER
  );
}

/** One row for `reconcile`; its print holds all that its looks depend on. */
export function messageItem(message, channel, { compact = false, inThread = false } = {}) {
  const origin = { channel, ts: message.ts };
  const warning = store.warnings.get(originKey(origin));
  const linked = store.place.message === message.ts;
  const print = JSON.stringify([
    message,
    compact,
    warning,
    linked,
    store.place.user,
    isoDay(now()), // what was "today" yesterday is redrawn
    store.state.users.length,
  ]);
  return {
    key: `${channel}/${message.ts}`,
    print,
    build: (old) => row(message, origin, { compact, inThread, warning, linked, redrawn: redrawn(old, message) }),
  };
}

/** Whether the content itself changed, and not only who looks at it. */
function redrawn(old, message) {
  return Boolean(old) && old.content !== contentOf(message);
}

const contentOf = (message) => JSON.stringify([message.text, message.blocks]);

function row(message, origin, { compact, inThread, warning, linked, redrawn: fresh }) {
  const hidden = message.is_ephemeral;
  const classes = ["message", compact && "compact", hidden && "ephemeral", linked && "linked", fresh && "fresh"]
    .filter(Boolean)
    .join(" ");
  const testid = hidden ? "ephemeral" : `${inThread ? "thread-" : ""}message-${message.ts}`;
  const node = h(
    "article",
    {
      class: classes,
      id: inThread ? null : `m-${message.ts}`,
      "data-testid": testid,
      "data-ts": message.ts,
      tabindex: "-1",
    },
    hidden && h("div", { class: "only-you" }, icon("eye"), "Only visible to you"),
    h("div", { class: "gutter" }, gutter(message, origin, compact)),
    h(
      "div",
      { class: "message-body" },
      !compact && !deleted(message) && head(message, origin),
      content(message, origin),
      warning && h("div", { class: "warning", role: "alert" }, icon("warning"), warning),
      !inThread && threadLink(message, origin),
    ),
    hidden ? dismissal(message) : toolbar(message, origin, inThread),
  );
  node.content = contentOf(message);
  return node;
}

/** Whether a message stands in the channel itself and not only in a thread of it. */
export const inChannel = (message) =>
  !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";

const deleted = (message) => message.subtype === "tombstone";

function gutter(message, origin, compact) {
  if (deleted(message)) return h("span", { class: "avatar gone" }, icon("trash"));
  return compact ? stamp(message, origin) : avatar(author(message));
}

const author = (message) => findUser(message.user);

function head(message, origin) {
  const bot = message.bot_id || author(message)?.is_bot;
  return h(
    "div",
    { class: "message-head" },
    h("span", { class: "author" }, message.username || displayName(author(message))),
    bot && h("span", { class: "app" }, "APP"),
    stamp(message, origin),
    message.blocks?.length ? edited(message) : null,
  );
}

function stamp(message, { channel }) {
  const seconds = Number(message.ts);
  return h(
    "a",
    { class: "stamp", href: placeHash({ channel, message: message.ts }), title: fullTime(seconds) },
    h("time", { datetime: new Date(seconds * 1000).toISOString() }, clockTime(seconds)),
  );
}

function content(message, origin) {
  if (deleted(message)) return h("div", { class: "text tombstone" }, "This message was deleted.");
  if (message.blocks?.length) return h("div", { class: "card" }, blocks(message.blocks, { origin }));
  return h("div", { class: "text" }, mrkdwn(message.text ?? ""), " ", edited(message));
}

const edited = (message) =>
  message.edited &&
  h("span", { class: "edited", title: message.edited.ts ? fullTime(Number(message.edited.ts)) : null }, "(edited)");

function threadLink(message, { channel }) {
  if (!message.reply_count) return null;
  const faces = (message.reply_users ?? []).slice(0, 3).map((id) => avatar(findUser(id), "tiny"));
  const count = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const last =
    message.latest_reply && h("span", { class: "last-reply" }, `last ${pastTime(Number(message.latest_reply))}`);
  return h(
    "a",
    { class: "replies", href: placeHash({ channel, thread: message.ts }), "data-testid": `replies-${message.ts}` },
    h("span", { class: "faces" }, faces),
    h("span", { class: "count" }, count),
    last,
  );
}
