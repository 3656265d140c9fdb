/** Puts the page together: fetches, listens, and draws every part from the store. */

import { listen, markRead, openHome } from "./api.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { h, icon, swap } from "./dom.js";
import { renderHint } from "./hint.js";
import { inChannel, renderMessages } from "./messages.js";
import { renderModals } from "./modal.js";
import { renderLedger, renderPanel } from "./panel.js";
import { mrkdwn } from "./mrkdwn.js";
import { keepAtEnd } from "./scroll.js";
import { renderSidebar } from "./sidebar.js";
import { channelName, displayName, findChannel, findUser, lookBack, messagesOf, refresh, store } from "./store.js";
import { renderSwitcher } from "./switcher.js";
import { renderThread } from "./thread.js";

const at = (id) => document.getElementById(id);

function render() {
  if (!store.state || store.viewer !== store.place.user) return;
  const { channel } = store.place;
  document.body.classList.toggle("with-panel", Boolean(store.state.panel));
  renderSwitcher(at("switcher"));
  renderPanel(at("panel"));
  renderHint(at("hint"));
  renderPlace(at("place"), channel);
  if (channel === "home") renderHome(at("scroll"));
  else renderChannel(at("scroll"), channel);
  renderThread(at("thread"));
  renderLedger(at("ledger"));
  renderModals();
  renderSidebar(at("rail"));
}

function renderPlace(header, id) {
  const channel = findChannel(id);
  const title = id === "home" ? "Signoff" : channelName(channel);
  document.title = `${title}, ${store.state.team.name}`;
  swap(header, JSON.stringify([id, channel]), () => [
    h(
      "h1",
      {},
      id === "home" ? icon("home") : channel.is_im ? null : icon(channel.is_private ? "lock" : "hash"),
      title,
    ),
    h("span", { class: "place-topic" }, id === "home" ? "App Home" : topic(channel)),
  ]);
}

function topic(channel) {
  if (channel.is_im) return `Direct message with ${displayName(findUser(channel.user))}`;
  const count = channel.num_members ?? channel.members?.length;
  return [channel.topic?.value, count && `${count} members`].filter(Boolean).join("  ·  ");
}

let homeOpened = null;

function renderHome(scroll) {
  at("composer").hidden = true;
  const { user } = store.place;
  const arrived = homeOpened !== user;
  if (arrived) {
    homeOpened = user;
    openHome(user)
      .then(refresh)
      .catch(() => undefined);
  }
  const view = store.state.home;
  swap(scroll, JSON.stringify(["home", user, view]), () =>
    h(
      "div",
      { class: "home", "data-testid": "home" },
      view
        ? blocks(view.blocks, { origin: { view_id: view.id } })
        : h("p", { class: "nothing" }, "Signoff has not drawn this page yet."),
    ),
  );
  if (!arrived) return;
  end.release();
  scroll.scrollTop = 0;
}

function renderChannel(scroll, channel) {
  homeOpened = null;
  const place = JSON.stringify([store.place.user, channel]);
  const box = at("composer");
  box.hidden = false;
  const room = findChannel(channel);
  const name = room.is_im ? channelName(room) : `#${channelName(room)}`;
  swap(box, place, () => composer(channel, `Message ${name}, or /approvals`));
  const moved = swap(scroll, place, () => h("div", { class: "messages" }));
  if (moved) end.watch(scroll.firstChild);
  renderMessages(scroll.firstChild, channel);
  hear(channel, moved);
  if (arrived(store.place.message, moved)) lead(store.place.message, room);
  if (!scroll.firstChild.childElementCount) scroll.firstChild.append(emptyRoom(name));
  if (room.unread && document.visibilityState === "visible") markRead(store.place.user, channel);
}

const emptyRoom = (name) => h("p", { class: "nothing" }, `Nothing has been said in ${name} yet.`);

function lead(message, room) {
  end.release();
  at(`m-${message}`)?.scrollIntoView({ block: "center" });
  if (!room.earlier || messagesOf(room.id).some((one) => one.ts === message)) return;
  linked = null; // led there once it is among what is fetched
  lookBack().catch(() => undefined);
}

let linked = null;

/** Whether the link's message was not scrolled to yet. */
function arrived(message, moved) {
  const news = Boolean(message) && (moved || linked !== message);
  linked = message;
  return news;
}

let heard = "";

/** Reads out what came into the open channel since the last drawing, and shows the reader what is theirs. */
function hear(channel, moved) {
  const last = messagesOf(channel).filter(inChannel).at(-1);
  const news = last && last.ts > heard && !moved;
  const own = last?.user === store.place.user;
  heard = last?.ts ?? "";
  if (news && (own || last.is_ephemeral)) end.follow();
  if (news && !own) at("announcer").replaceChildren(`${displayName(findUser(last.user))}: `, spoken(last.text ?? ""));
}

/** The words of mrkdwn as they are shown: names for mentions, and times for dates. */
const spoken = (text) => h("span", {}, mrkdwn(text)).textContent;

const BURST_MS = 40;
const AGAIN_MS = 1000;
let soon = null;

/** A burst of changes becomes one fetch; one that fails is made again, since no other change may come. */
function changed() {
  look(BURST_MS);
}

function look(after) {
  clearTimeout(soon);
  soon = setTimeout(
    () =>
      refresh().then(
        () => offline(false),
        () => {
          offline(true);
          look(AGAIN_MS);
        },
      ),
    after,
  );
}

function offline(is) {
  at("offline").hidden = !is;
}

const end = keepAtEnd(at("scroll"));
store.subscribe(render);
listen(changed, () => offline(true));
look(0);
