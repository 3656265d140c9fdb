/** The right-hand pane: one message and the replies to it. */

import { composer } from "./composer.js";
import { h, icon, reconcile, swap } from "./dom.js";
import { messageItem } from "./messages.js";
import { channelName, findChannel, go, messagesOf, store } from "./store.js";

export function renderThread(pane) {
  const { channel, thread } = store.place;
  const room = findChannel(channel);
  if (!thread || !room) return close(pane);
  pane.hidden = false;
  pane.dataset.testid = "thread-pane";
  const opened = swap(pane, JSON.stringify([channel, thread, store.place.user]), () => [
    h(
      "header",
      { class: "pane-head" },
      h("h2", {}, "Thread"),
      h("span", { class: "pane-sub" }, room.is_im ? channelName(room) : `#${channelName(room)}`),
      h(
        "button",
        {
          type: "button",
          class: "ghost",
          "aria-label": "Close thread",
          "data-testid": "thread-close",
          onclick: () => go({}),
        },
        icon("close"),
      ),
    ),
    h("div", { class: "pane-body thread-list" }),
    composer(channel, "Reply…", thread),
  ]);
  fill(pane.querySelector(".thread-list"), channel, thread);
  // Whoever opened it from a message goes on in it; whoever came by a link stays at the top of the page.
  if (opened && document.activeElement?.closest(".scroll")) pane.querySelector("textarea").focus();
  pane.onkeydown = (event) => {
    if (event.key === "Escape") go({});
  };
}

/** Gives the focus back to the message whose replies were shown. */
function close(pane) {
  const [, thread] = JSON.parse(pane.shownKey ?? "[]");
  if (pane.contains(document.activeElement)) document.getElementById(`m-${thread}`)?.focus({ preventScroll: true });
  pane.hidden = true;
  pane.shownKey = null;
}

function fill(list, channel, thread) {
  const all = messagesOf(channel);
  const parent = all.filter((message) => message.ts === thread);
  const replies = all.filter((message) => message.thread_ts === thread && message.ts !== thread);
  const divider = { key: "count", print: String(replies.length), build: () => count(replies.length) };
  const item = (message) => messageItem(message, channel, { inThread: true });
  const grew = list.childElementCount < parent.length + replies.length + 1;
  reconcile(list, [...parent.map(item), divider, ...replies.map(item)]);
  if (grew && replies.length) list.scrollTop = list.scrollHeight;
}

function count(replies) {
  const words = replies === 0 ? "No replies yet" : replies === 1 ? "1 reply" : `${replies} replies`;
  return h("div", { class: "day", role: "separator" }, h("span", {}, words));
}
