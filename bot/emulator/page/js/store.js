/** What the emulator last said, and which place of it this browser looks at (kept in the URL's hash). */

import { fetchState } from "./api.js";

const listeners = new Set();
let fetching = null;
let again = false;
let most = 200; // messages of a channel

/** The address that the place was read from or written to. */
let settled = "";

export const store = {
  state: null,
  viewer: null, // whose view of the workspace `state` is
  place: readHash(),
  warnings: new Map(), // of clicks that were not answered, by origin
  subscribe: (listener) => listeners.add(listener),
  emit: () => listeners.forEach((listener) => listener()),
  me: () => findUser(store.place.user),
};

export const findUser = (id) => store.state?.users.find((user) => user.id === id);
export const findGroup = (id) => store.state?.groups.find((group) => group.id === id);
export const findChannel = (id) => store.state?.channels.find((channel) => channel.id === id);
export const messagesOf = (channel) => store.state?.messages[channel] ?? [];
export const people = () => (store.state?.users ?? []).filter((user) => !user.is_bot && !user.deleted);
export const groupsOf = (user) => (store.state?.groups ?? []).filter((group) => group.users?.includes(user));
export const displayName = (user) => user?.real_name || user?.profile?.real_name || user?.name || "Somebody";
export const firstName = (user) => displayName(user).split(" ")[0];
export const titleOf = (user) => user?.profile?.title || user?.title || "";

export function channelName(channel) {
  if (!channel) return "";
  if (channel.is_im) return displayName(findUser(channel.user));
  return channel.is_mpim
    ? channel.members
        .filter((id) => id !== store.place.user)
        .map((id) => firstName(findUser(id)))
        .join(", ")
    : channel.name;
}

function readHash() {
  settled = location.hash;
  const hash = new URLSearchParams(location.hash.slice(1));
  return {
    user: hash.get("user"),
    channel: hash.get("channel"),
    thread: hash.get("thread"),
    message: hash.get("message"),
  };
}

/** The hash of a place; what the change does not name stays, but for the thread and the message of the old place. */
export function placeHash(change) {
  const { user, channel } = store.place;
  const wanted = Object.entries({ user, channel, ...change }).filter(([, value]) => value);
  return `#${new URLSearchParams(wanted)}`;
}

export function go(change) {
  location.hash = placeHash(change);
}

window.addEventListener("hashchange", async () => {
  const before = store.place.user;
  store.place = readHash();
  if (store.place.user !== before) await refresh();
  else settlePlace();
  store.emit();
});

/** Fetches the state; calls that come while one is on its way become one more fetch after it. */
export function refresh() {
  again = true;
  fetching ??= (async () => {
    try {
      while (again) {
        again = false;
        await load();
      }
    } finally {
      fetching = null;
    }
  })();
  return fetching;
}

/** Fetches twice as many messages of each channel. */
export function lookBack() {
  most *= 2;
  return refresh();
}

async function load() {
  const asked = store.place.user;
  const state = await fetchState(asked ?? "", most);
  if (asked !== store.place.user) return; // somebody switched meanwhile, and asks again
  store.place.user = state?.user ?? null;
  if (state) show(state);
  else again = asked !== null;
}

function show(state) {
  Object.assign(store, { state, viewer: state.user });
  settlePlace();
  store.emit();
}

/** Fills in what the hash leaves open or gets wrong. */
function settlePlace() {
  // Somebody is on the way elsewhere, and `hashchange` is about to say so: writing the old place back would
  // keep them here.
  if (location.hash !== settled) return;
  const { place } = store;
  const known = place.channel === "home" || findChannel(place.channel);
  if (!known) {
    Object.assign(place, { channel: firstChannel(), thread: null, message: null });
  }
  const hash = placeHash({ thread: place.thread, message: place.message });
  if (hash !== location.hash) history.replaceState(null, "", hash);
  settled = location.hash;
}

function firstChannel() {
  const rooms = (store.state?.channels ?? []).filter((channel) => !channel.is_im && !channel.is_archived);
  const busy = rooms.find((channel) => messagesOf(channel.id).length);
  return (busy ?? rooms[0])?.id ?? "home";
}
