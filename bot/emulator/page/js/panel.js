/** The demo's own controls: its clock, the ways to move it, and what the workflows did so far. */

import { runPanelAction } from "./api.js";
import { h, icon, swap } from "./dom.js";
import { isBusy, whileBusy } from "./elements.js";
import { displayName, findUser, refresh, store } from "./store.js";
import { clockFace, toSeconds, zoneCity } from "./time.js";

const WIDE = window.matchMedia("(min-width: 1160px)");

export function renderPanel(container) {
  const panel = store.state.panel;
  container.hidden = !panel;
  if (!panel) return;
  const { sections: _, ...clock } = panel;
  swap(container, JSON.stringify([clock, store.place.user, ledgerOpen()]), () => [
    face(panel),
    h(
      "div",
      { class: "clock-actions", role: "group", "aria-label": "Move the clock" },
      actionsOf("clock").map((one) => action(one, "bar-button")),
    ),
    hasLedger(panel)
      ? h(
          "button",
          {
            type: "button",
            class: "bar-button square",
            "data-testid": "ledger-toggle",
            "aria-pressed": String(ledgerOpen()),
            "aria-label": "The demo: what to start, and what happened so far",
            title: "The demo: what to start, and what happened so far",
            onclick: toggleLedger,
          },
          icon("ledger"),
        )
      : null,
  ]);
}

function face(panel) {
  if (panel.now === undefined || panel.now === null) return null;
  const seconds = toSeconds(panel.now);
  const { day, time } = Number.isFinite(seconds) ? clockFace(seconds) : { day: "", time: String(panel.now) };
  return h(
    "div",
    { class: "clock-face", "data-testid": "demo-now", title: panel.note ?? null },
    icon("clock"),
    h("span", { class: "clock-day" }, day),
    h("span", { class: "clock-time" }, time),
    h("span", { class: "clock-zone", title: `${displayName(store.me())}'s time` }, zoneCity()),
  );
}

/** The panel's buttons of one group; those that name none stand beside the clock. */
const actionsOf = (group) => (store.state.panel.actions ?? []).filter((one) => (one.group ?? "clock") === group);

const hasLedger = (panel) => Boolean(panel.sections?.length || actionsOf("start").length || actionsOf("slack").length);

function action({ id, label, hint }, look) {
  const run = async (event) => {
    const button = event.currentTarget;
    if (isBusy(button)) return;
    await whileBusy(button, runPanelAction(id));
    await refresh().catch(() => undefined);
  };
  return h(
    "button",
    { type: "button", class: look, "data-testid": `panel-${id}`, title: hint ?? null, onclick: run },
    label,
  );
}

let wanted = null; // what the person chose; null: open where there is room

const ledgerOpen = () => wanted ?? WIDE.matches;

function toggleLedger() {
  wanted = !ledgerOpen();
  store.emit();
  document.querySelector("[data-testid=ledger-toggle]").focus();
}

WIDE.addEventListener("change", () => store.state && store.emit());

/** What to start and what happened so far; gives way to a thread. */
export function renderLedger(container) {
  const panel = store.state.panel;
  container.hidden = !panel || !hasLedger(panel) || !ledgerOpen() || Boolean(store.place.thread);
  if (!panel) return;
  const { now: _, ...shown } = panel;
  swap(container, JSON.stringify([shown, store.state.users.length]), () => [
    h(
      "header",
      { class: "pane-head" },
      h("h2", {}, "This demo"),
      h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: toggleLedger }, icon("close")),
    ),
    h(
      "div",
      { class: "pane-body" },
      panel.note && h("p", { class: "ledger-note" }, panel.note),
      buttons("Start something", actionsOf("start")),
      buttons("Make trouble", actionsOf("slack")),
      (panel.sections ?? []).map(ledgerSection),
    ),
  ]);
}

function buttons(title, actions) {
  if (!actions.length) return null;
  return h(
    "section",
    { class: "ledger-section" },
    h("h3", {}, title),
    h(
      "div",
      { class: "ledger-actions" },
      actions.map((one) => action(one, "chip")),
    ),
  );
}

/** Names people as they are called: the workflows' own words know them by their ids. */
function named(line) {
  return line.replace(/\b[UW][0-9A-Z]{4,}\b/g, (id) => {
    const user = findUser(id);
    return user ? displayName(user) : id;
  });
}

function ledgerSection({ title, lines }) {
  return h(
    "section",
    { class: "ledger-section" },
    h("h3", {}, title),
    lines.length
      ? h(
          "ul",
          {},
          lines.map((line) => h("li", {}, named(line))),
        )
      : h("p", { class: "nothing" }, "Nothing yet"),
  );
}
