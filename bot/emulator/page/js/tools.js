/** What a person can do with a message besides using its buttons. */

import { deleteMessage } from "./api.js";
import { h, icon } from "./dom.js";
import { go, placeHash, refresh, store } from "./store.js";

/** What the pointer finds on a message: reply, copy its address, delete it. */
export function toolbar(message, { channel, ts }, inThread) {
  if (message.subtype === "tombstone") return null;
  const tool = (name, label, testid, onclick) =>
    h(
      "button",
      { type: "button", class: "tool", title: label, "aria-label": label, "data-testid": `${testid}-${ts}`, onclick },
      icon(name),
    );
  return h(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Message" },
    !inThread && tool("reply", "Reply in thread", "reply", () => go({ channel, thread: message.thread_ts ?? ts })),
    tool("link", "Copy link to message", "copy-link", (event) => copy(event.currentTarget, channel, ts)),
    tool("trash", "Delete message", "delete", () => remove(channel, ts)),
  );
}

async function copy(button, channel, ts) {
  const address = `${location.origin}${location.pathname}${placeHash({ channel, message: ts })}`;
  await navigator.clipboard?.writeText(address).catch(() => undefined);
  button.classList.add("done");
  button.title = "Copied";
}

async function remove(channel, ts) {
  await deleteMessage(store.place.user, channel, ts);
  await refresh().catch(() => undefined);
}

// Private answers live in this browser's tab only, as in Slack: putting one away asks nobody.
export const dismissed = (message) =>
  message.is_ephemeral && sessionStorage.getItem(`dismissed/${message.ts}`) !== null;

export function dismissal(message) {
  const put = () => {
    sessionStorage.setItem(`dismissed/${message.ts}`, "");
    store.emit();
  };
  return h(
    "button",
    { type: "button", class: "dismiss", "data-testid": `dismiss-${message.ts}`, onclick: put },
    "Dismiss",
  );
}
