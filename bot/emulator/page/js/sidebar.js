/** The left rail: the workspace's name, its channels, direct messages and the app. */

import { avatar } from "./avatar.js";
import { h, icon, swap } from "./dom.js";
import { channelName, findUser, placeHash, store } from "./store.js";
import { unread } from "./unread.js";

export function renderSidebar(rail) {
  const { state, place } = store;
  const counts = Object.fromEntries(state.channels.map((channel) => [channel.id, unread(channel)]));
  const key = JSON.stringify([place.user, place.channel, state.team, state.channels, counts]);
  swap(rail, key, () => [
    h("div", { class: "team" }, h("span", { class: "team-name" }, state.team.name), h("span", { class: "team-sub" }, "local workspace")),
    section("Channels", state.channels.filter((channel) => !channel.is_im && !channel.is_mpim).map((channel) => entry(channel, counts))),
    section("Direct messages", state.channels.filter((channel) => channel.is_im || channel.is_mpim).map((channel) => entry(channel, counts))),
    section("Apps", [home()]),
  ]);
}

function section(title, entries) {
  if (!entries.length) return null;
  return h("section", { class: "rail-section" }, h("h2", {}, title), h("ul", {}, entries.map((item) => h("li", {}, item))));
}

function entry(channel, counts) {
  const count = counts[channel.id];
  const here = store.place.channel === channel.id;
  const mark = channel.is_im ? avatar(findUser(channel.user), "tiny") : icon(channel.is_private ? "lock" : "hash");
  return h("a", { href: placeHash({ channel: channel.id }), class: count ? "rail-item unread" : "rail-item", "data-testid": `channel-${channel.id}`, "aria-current": here ? "page" : null },
    mark, h("span", { class: "rail-name" }, channelName(channel)),
    count > 0 && h("span", { class: "badge", "data-testid": `unread-${channel.id}` }, String(count), h("span", { class: "unseen" }, " unread")));
}

function home() {
  const here = store.place.channel === "home";
  return h("a", { href: placeHash({ channel: "home" }), class: "rail-item", "data-testid": "channel-home", "aria-current": here ? "page" : null },
    icon("home"), h("span", { class: "rail-name" }, "Signoff"), h("span", { class: "rail-tag" }, "App Home"));
}
