/** "You are …": who looks at the workspace, and becoming somebody else. */

import { avatar } from "./avatar.js";
import { h, icon, swap } from "./dom.js";
import { menuBehaviour } from "./elements.js";
import { displayName, go, groupsOf, people, store, titleOf } from "./store.js";

export function renderSwitcher(container) {
  const { state, place } = store;
  const me = store.me();
  swap(container, JSON.stringify([place.user, state.users, state.groups]), () => {
    const items = people().map(option);
    const menu = h(
      "div",
      { class: "menu people", role: "menu", "aria-label": "Become", hidden: true },
      h("p", { class: "menu-title" }, "Look at the workspace as"),
      items,
    );
    const toggle = h(
      "button",
      { type: "button", class: "me", "data-testid": "user-switch", "aria-haspopup": "menu", "aria-expanded": "false" },
      avatar(me),
      h(
        "span",
        { class: "me-words" },
        h("span", { class: "me-name" }, h("span", { class: "me-you" }, "You are "), displayName(me)),
        h("span", { class: "me-title" }, about(me)),
      ),
      icon("chevron"),
    );
    const close = menuBehaviour(toggle, menu, items);
    menu.addEventListener("click", () => (close(), toggle.focus()));
    return h("div", { class: "menu-root" }, toggle, menu);
  });
}

function about(user) {
  const handles = groupsOf(user.id).map((group) => `@${group.handle}`);
  return [titleOf(user), ...handles].filter(Boolean).join("  ·  ");
}

function option(user) {
  const mine = user.id === store.place.user;
  return h(
    "button",
    {
      type: "button",
      class: "menu-item person",
      role: "menuitemradio",
      "aria-checked": String(mine),
      "data-testid": `user-${user.id}`,
      onclick: () => go({ user: user.id }),
    },
    avatar(user),
    h(
      "span",
      { class: "person-words" },
      h("span", { class: "person-name" }, displayName(user), standing(user)),
      h("span", { class: "person-title" }, about(user)),
    ),
    mine && icon("check"),
  );
}

function standing(user) {
  const words = user.is_stranger ? "other workspace" : user.is_restricted || user.is_ultra_restricted ? "guest" : null;
  return words && h("span", { class: "tag" }, words);
}
