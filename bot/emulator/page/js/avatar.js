/** A person's or a bot's picture: initials on a colour of their own, or the app's mark. */

import { h } from "./dom.js";
import { displayName, people } from "./store.js";

const TONES = 10;

export function avatar(user, size = "") {
  if (user?.is_bot || !user)
    return h(
      "span",
      { class: `avatar bot ${size}`, "aria-hidden": "true" },
      user?.name === "signoff" || !user ? h("img", { src: "mark.svg", alt: "" }) : initials(user),
    );
  return h("span", { class: `avatar tone-${tone(user.id)} ${size}`, "aria-hidden": "true" }, initials(user));
}

const initials = (user) =>
  displayName(user)
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();

// By place among the people, so that the first ten never share a colour.
function tone(id) {
  return (people().findIndex((user) => user.id === id) + TONES) % TONES;
}
