/** One quiet line for a newcomer, until they put it away. */

import { h, icon, swap } from "./dom.js";
import { firstName, groupsOf, store } from "./store.js";

const KEY = "signoff/hint";

export function renderHint(container) {
  const away = localStorage.getItem(KEY) === "away";
  const shown = Boolean(store.state.panel) && !away && store.place.channel !== "home";
  container.hidden = !shown;
  if (!shown) return;
  swap(container, JSON.stringify([store.place.user, store.state.panel.hint]), () => [
    h("p", {}, store.state.panel.hint ?? suggestion()),
    h(
      "button",
      {
        type: "button",
        class: "ghost",
        "aria-label": "Put this hint away",
        "data-testid": "hint-close",
        onclick: () => putAway(container),
      },
      icon("close"),
    ),
  ]);
}

function putAway(container) {
  localStorage.setItem(KEY, "away");
  container.hidden = true;
  document.getElementById("scroll").focus();
}

function suggestion() {
  const me = store.me();
  const powers = groupsOf(me.id).length > 0;
  return powers
    ? `You are ${firstName(me)}. Decide what waits for you, or become somebody else (above) and see who may not.`
    : `You are ${firstName(me)}, and hardly anything here is yours to decide: press a button and see. Then become somebody else (above).`;
}
