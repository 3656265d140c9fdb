/** The demo's own controls: its clock, the ways to move it, and what the workflows did so far. */

import { runPanelAction } from "./api.js";
import { h, icon, swap } from "./dom.js";
import { refresh, store } from "./store.js";
import { clockFace, toSeconds } from "./time.js";

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
      (panel.actions ?? []).map(action),
    ),
    panel.sections?.length
      ? h(
          "button",
          {
            type: "button",
            class: "bar-button square",
            "data-testid": "ledger-toggle",
            "aria-pressed": String(ledgerOpen()),
            "aria-label": "What happened so far",
            title: "What happened so far",
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
  );
}

function action({ id, label, hint }) {
  const run = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    button.classList.add("busy");
    await runPanelAction(id);
    button.disabled = false;
    button.classList.remove("busy");
    await refresh().catch(() => undefined);
  };
  return h(
    "button",
    { type: "button", class: "bar-button", "data-testid": `panel-${id}`, title: hint ?? null, onclick: run },
    label,
  );
}

let wanted = null; // what the person chose; null: open where there is room

const ledgerOpen = () => wanted ?? WIDE.matches;

function toggleLedger() {
  wanted = !ledgerOpen();
  store.emit();
}

WIDE.addEventListener("change", () => store.state && store.emit());

/** What happened so far; gives way to a thread. */
export function renderLedger(container) {
  const sections = store.state.panel?.sections ?? [];
  container.hidden = !sections.length || !ledgerOpen() || Boolean(store.place.thread);
  const note = store.state.panel?.note;
  swap(container, JSON.stringify([note, sections]), () => [
    h(
      "header",
      { class: "pane-head" },
      h("h2", {}, "What happened so far"),
      h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: toggleLedger }, icon("close")),
    ),
    h("div", { class: "pane-body" }, note && h("p", { class: "ledger-note" }, note), sections.map(ledgerSection)),
  ]);
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
          lines.map((line) => h("li", {}, line)),
        )
      : h("p", { class: "nothing" }, "Nothing yet"),
  );
}
