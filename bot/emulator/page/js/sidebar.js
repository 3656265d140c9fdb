/** The left rail: the workspace's name, its channels, direct messages and the app. */

import { avatar } from "./avatar.js";
import { h, icon, swap } from "./dom.js";
import { channelName, findUser, placeHash, store } from "./store.js";

export function renderSidebar(rail) {
  const { state, place } = store;
  const key = JSON.stringify([place.user, place.channel, state.team, state.channels, trouble()]);
  const shown = state.channels.filter((channel) => !channel.is_archived);
  const direct = (channel) => channel.is_im || channel.is_mpim;
  swap(rail, key, () => [
    h(
      "div",
      { class: "team" },
      h("span", { class: "team-name" }, state.team.name),
      h("span", { class: trouble() ? "team-sub alone" : "team-sub" }, trouble() ?? "local workspace"),
    ),
    section("Channels", shown.filter((channel) => !direct(channel)).map(entry)),
    section("Direct messages", shown.filter(direct).map(entry)),
    section("Apps", [home()]),
  ]);
}

/** Why the app would not answer, or not be heard; null where all is well. */
function trouble() {
  const { connected, faults } = store.state;
  if (faults?.down) return "Slack is down for the app";
  const alone = Boolean(connected) && !connected.sockets && !connected.request_url;
  return alone ? "no app is connected" : null;
}

function section(title, entries) {
  if (!entries.length) return null;
  return h(
    "section",
    { class: "rail-section" },
    h("h2", {}, title),
    h(
      "ul",
      {},
      entries.map((item) => h("li", {}, item)),
    ),
  );
}

function entry(channel) {
  const here = store.place.channel === channel.id;
  const count = here ? 0 : (channel.unread ?? 0);
  const mark = channel.is_im ? avatar(findUser(channel.user), "tiny") : icon(channel.is_private ? "lock" : "hash");
  return h(
    "a",
    {
      href: placeHash({ channel: channel.id }),
      class: count ? "rail-item unread" : "rail-item",
      "data-testid": `channel-${channel.id}`,
      "aria-current": here ? "page" : null,
    },
    mark,
    h("span", { class: "rail-name" }, channelName(channel)),
    count > 0 &&
      h(
        "span",
        { class: "badge", "data-testid": `unread-${channel.id}` },
        String(count),
        h("span", { class: "unseen" }, " unread"),
      ),
  );
}

function home() {
  const here = store.place.channel === "home";
  return h(
    "a",
    {
      href: placeHash({ channel: "home" }),
      class: "rail-item",
      "data-testid": "channel-home",
      "aria-current": here ? "page" : null,
    },
    icon("home"),
    h("span", { class: "rail-name" }, "Signoff"),
    h("span", { class: "rail-tag" }, "App Home"),
  );
}
