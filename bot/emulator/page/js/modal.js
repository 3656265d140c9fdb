/** The current user's stack of modals: only the top one shows, those below keep what was typed in them. */

import { closeView, submit } from "./api.js";
import { blocks } from "./blocks.js";
import { complaint } from "./check.js";
import { h, icon, keepingFocus } from "./dom.js";
import { isBusy, trouble, whileBusy } from "./elements.js";
import { showError } from "./input.js";
import { words } from "./mrkdwn.js";
import { refresh, store } from "./store.js";

const open = new Map(); // by view id: { dialog, print, fields, block ids in order }

export function renderModals() {
  const views = store.state.views ?? [];
  for (const [id, shown] of open) {
    if (!views.some((view) => view.id === id)) drop(id, shown);
  }
  views.forEach((view, depth) => present(view, depth === views.length - 1));
}

function drop(id, shown) {
  shown.dialog.close();
  shown.dialog.remove();
  open.delete(id);
  if (!open.size) (shown.opener.isConnected ? shown.opener : document.getElementById(shown.row))?.focus();
}

function present(view, top) {
  const shown = open.get(view.id) ?? create(view);
  const print = JSON.stringify([view.hash, view.title, view.blocks, view.submit, view.close, view.errors]);
  if (shown.print !== print) fill(shown, view, print);
  if (top && !shown.dialog.open) {
    shown.dialog.showModal();
    firstField(shown.dialog)?.focus();
  }
  if (!top && shown.dialog.open) shown.dialog.close();
}

function create(view) {
  const dialog = h("dialog", {
    class: "modal",
    "data-testid": "modal",
    "data-view-id": view.id,
    "aria-labelledby": `${view.id}-title`,
  });
  const [below] = open.values();
  const opener = below?.opener ?? document.activeElement;
  const row = below?.row ?? opener.closest(".message")?.id; // for an opener that its settled card has no more
  const shown = { dialog, print: null, fields: new Map(), opener, row };
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close(view.id);
  });
  dialog.addEventListener("keydown", (event) => event.key === "Tab" && trap(event, dialog));
  document.body.append(dialog);
  open.set(view.id, shown);
  return shown;
}

/** Draws a view into its dialog; what was typed stays where a block and its action keep their ids. */
function fill(shown, view, print) {
  const before = new Map([...shown.fields].map(([key, { control }]) => [key, control.read()]));
  shown.fields = new Map();
  shown.print = print;
  const context = {
    origin: { view_id: view.id },
    register: (block, element, control) => shown.fields.set(fieldKey(block, element), { block, element, control }),
    values: () => values(shown),
    typed: (block) => before.get(fieldKey(block, block.element)),
  };
  keepingFocus(shown.dialog, () => shown.dialog.replaceChildren(form(shown, view, context)));
  showErrors(shown, view.errors ?? {});
}

const fieldKey = (block, element) => JSON.stringify([block.block_id, element.action_id]);

function form(shown, view, context) {
  const body = h("div", { class: "modal-body", tabindex: "-1" }, blocks(view.blocks, context));
  const dismiss = h(
    "button",
    { type: "button", class: "btn plain", "data-testid": "modal-close", onclick: () => close(view.id) },
    words(view.close) || "Close",
  );
  const submitter =
    view.submit &&
    h("button", { type: "submit", class: "btn primary", "data-testid": "modal-submit" }, words(view.submit));
  const node = h(
    "form",
    { novalidate: true, autocomplete: "off" },
    h(
      "header",
      { class: "modal-head" },
      h("img", { src: "mark.svg", alt: "", width: 24, height: 24 }),
      h("h2", { id: `${view.id}-title`, "data-testid": "modal-title" }, words(view.title)),
      h(
        "button",
        { type: "button", class: "ghost", "aria-label": "Close", onclick: () => close(view.id) },
        icon("close"),
      ),
    ),
    body,
    h("p", { class: "modal-trouble", role: "alert", hidden: true }),
    h("footer", { class: "dialog-foot" }, dismiss, submitter),
  );
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (view.submit) send(shown, view, submitter);
  });
  return node;
}

async function send(shown, view, button) {
  const wrong = complaints(shown);
  showErrors(shown, wrong);
  tell(shown, null);
  if (Object.keys(wrong).length || isBusy(button)) return;
  const result = await whileBusy(button, submit(store.place.user, view.id, values(shown)));
  if (Object.keys(result.errors ?? {}).length) showErrors(shown, result.errors);
  else tell(shown, trouble(result));
  await refresh().catch(() => undefined);
}

function complaints(shown) {
  const inputs = [...shown.fields.values()].filter(({ block }) => block.type === "input");
  const found = inputs.map(({ block, control }) => [block.block_id, complaint(block, control.read())]);
  return Object.fromEntries(found.filter(([, sentence]) => sentence));
}

/** Slack's `view.state.values`: by block id, by action id. */
function values(shown) {
  const all = {};
  for (const { block, element, control } of shown.fields.values()) {
    (all[block.block_id] ??= {})[element.action_id] = control.read();
  }
  return all;
}

function showErrors(shown, errors) {
  for (const { block } of shown.fields.values()) showError(shown.dialog, block.block_id, errors[block.block_id]);
  shown.dialog.querySelector(".b-input.wrong :is(input, select, textarea)")?.focus();
  const homeless = Object.entries(errors).filter(
    ([id]) => ![...shown.fields.values()].some(({ block }) => block.block_id === id),
  );
  if (homeless.length) tell(shown, homeless.map(([, sentence]) => sentence).join(" "));
}

function tell(shown, sentence) {
  const slot = shown.dialog.querySelector(".modal-trouble");
  slot.textContent = sentence ?? "";
  slot.hidden = !sentence;
}

async function close(viewId) {
  await closeView(store.place.user, viewId);
  await refresh().catch(() => undefined);
}

const FOCUSABLE = "button:not([disabled]), input, select, textarea, a[href], [tabindex='0']";
const firstField = (dialog) =>
  dialog.querySelector("[autofocus]") ??
  dialog.querySelector(".modal-body :is(input, select, textarea)") ??
  dialog.querySelector("[data-testid=modal-submit], [data-testid=modal-close]");

function trap(event, dialog) {
  const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter((node) => node.offsetParent !== null);
  const [first, last] = [stops[0], stops.at(-1)];
  const leaving = event.shiftKey ? document.activeElement === first : document.activeElement === last;
  if (!leaving) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
}
