/** What the current user has not looked at yet, remembered for as long as the browser's tab lives. */

import { messagesOf, store } from "./store.js";

const key = (channel) => `read/${store.place.user}/${channel}`;

/** How many messages of others came into a channel since the user was last there. */
export function unread(channel) {
  if (channel.id === store.place.channel) return 0;
  const seen = Number(sessionStorage.getItem(key(channel.id)) ?? 0);
  return messagesOf(channel.id).filter((message) => Number(message.ts) > seen && message.user !== store.place.user && inChannel(message)).length;
}

export function markRead(channel) {
  const last = messagesOf(channel).at(-1);
  if (last) sessionStorage.setItem(key(channel), last.ts);
}

/** Whether a message stands in the channel itself and not only in a thread of it. */
export const inChannel = (message) => !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
