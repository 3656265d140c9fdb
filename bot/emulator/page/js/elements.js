/** Interactive elements in messages, modals and the App Home: what is pressed or chosen goes to the app at once. */

import { click } from "./api.js";
import { confirmed } from "./confirm.js";
import { h, icon } from "./dom.js";
import { field } from "./fields.js";
import { words } from "./mrkdwn.js";
import { refresh, store } from "./store.js";

/**
 * Draws an element of an actions block or of a section's side. `context` says where it stands: `origin` is
 * {channel, ts} or {view_id}, `register(block, element, control)` is there in modals, whose values are read on submit.
 */
export function interactive(element, block, context) {
  switch (element.type) {
    case "button":
    case "workflow_button":
      return button(element, block, context);
    case "overflow":
      return overflow(element, block, context);
    default:
      return holder(element, block, context);
  }
}

const marks = (element, block) => ({ "data-action-id": element.action_id, "data-block-id": block.block_id });

function button(element, block, context) {
  const press = (event) => {
    if (element.url && /^https?:/i.test(element.url)) window.open(element.url, "_blank", "noopener");
    return act(event.currentTarget, element, block, context, { value: element.value });
  };
  return h(
    "button",
    {
      type: "button",
      class: `btn ${element.style ?? "plain"}`,
      ...marks(element, block),
      "aria-label": element.accessibility_label,
      onclick: press,
    },
    words(element.text),
  );
}

/** A control with a value: every change is an action, and a modal reads it on submit too. */
function holder(element, block, context) {
  const control = field(element, block.block_id);
  if (!control) return h("span", { class: "unsupported" }, `A ${element.type} element, which this page does not draw.`);
  context.register?.(block, element, control);
  control.target.setAttribute("aria-label", words(element.placeholder) || element.type.replaceAll("_", " "));
  control.node.addEventListener("change", async () => {
    const value = chosen(control.read());
    const empty = Object.values(value).every((content) => content === null);
    const sent = !empty && (await act(control.node, element, block, context, value));
    if (!sent) control.node.replaceWith(holder(element, block, context));
  });
  return control.node;
}

const chosen = ({ type: _, ...value }) => value;

function overflow(element, block, context) {
  const choose = (option) => {
    close();
    toggle.focus();
    return act(toggle, element, block, context, { selected_option: option });
  };
  const items = element.options.map((option) =>
    h(
      "button",
      { type: "button", class: "menu-item", role: "menuitem", onclick: () => choose(option) },
      words(option.text),
      option.description && h("small", {}, words(option.description)),
    ),
  );
  const menu = h("div", { class: "menu", role: "menu", hidden: true }, items);
  const toggle = h(
    "button",
    {
      type: "button",
      class: "btn plain square",
      "aria-label": element.accessibility_label ?? "More actions",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      ...marks(element, block),
    },
    icon("more"),
  );
  const close = menuBehaviour(toggle, menu, items);
  return h("span", { class: "menu-root" }, toggle, menu);
}

/** Opens and closes a menu by mouse and keyboard; returns the function that closes it. */
export function menuBehaviour(toggle, menu, items) {
  const show = (open) => {
    menu.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
    if (open) {
      menu.classList.remove("upwards");
      menu.classList.toggle("upwards", menu.getBoundingClientRect().bottom > floor(menu) - 8);
      items[0]?.focus();
      document.addEventListener("pointerdown", outside);
    } else document.removeEventListener("pointerdown", outside);
  };
  const outside = (event) => menu.parentElement?.contains(event.target) || show(false);
  toggle.addEventListener("click", () => show(menu.hidden));
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
    else if (event.key === "Escape") (show(false), toggle.focus());
    else if (event.key === "Tab") show(false);
    if (step || event.key === "Escape") (event.preventDefault(), event.stopPropagation());
  });
  return () => show(false);
}

/** Where the room below a menu ends: what scrolls around it cuts it off. */
function floor(menu) {
  const box = menu.closest(".scroll, .pane-body, .modal-body");
  return box ? box.getBoundingClientRect().bottom : window.innerHeight;
}

/** Sends one action to the app and says so where nobody answered; false where the person thought better of it. */
export async function act(node, element, block, context, value) {
  if (isBusy(node)) return true;
  if (element.confirm && !(await confirmed(element.confirm))) return false;
  const key = originKey(context.origin);
  store.warnings.delete(key);
  const clicked = click({
    user: store.place.user,
    ...context.origin,
    block_id: block.block_id,
    action_id: element.action_id,
    ...value,
    values: context.values?.(),
  });
  const result = await whileBusy(node, clicked);
  const warning = trouble(result);
  if (warning) store.warnings.set(key, warning);
  store.emit();
  await refresh().catch(() => undefined);
  return true;
}

export const originKey = (origin) => origin.view_id ?? `${origin.channel}/${origin.ts}`;

/** What to tell the person about an interaction that did not come through, or null. */
export function trouble(result) {
  return result.ok ? null : (TROUBLE[result.error] ?? `Slack refused this: ${result.error ?? "no reason given"}.`);
}

const LATE = "Signoff did not answer in time. What holds is on the card; you can try again.";
const AWAY = "Signoff is not connected, so it did not hear of this. Try again in a moment.";
const TROUBLE = {
  no_emulator: "The local Slack does not answer. Nothing was sent.",
  timeout: LATE,
  disconnected: LATE,
  ack_dropped: LATE,
  no_app: AWAY,
  unreachable: AWAY,
  bad_status: "Signoff answered with an error. What holds is on the card; you can try again.",
  bad_response: "Signoff answered with something that Slack does not take.",
};

export const isBusy = (node) => node.classList.contains("busy");

/** Marks a control while something is done. Not `disabled`: that would drop the focus of who works by keyboard. */
export async function whileBusy(node, doing) {
  mark(node, true);
  const result = await doing;
  mark(node, false);
  return result;
}

function mark(node, busy) {
  node.classList.toggle("busy", busy);
  node.setAttribute("aria-busy", String(busy));
  node.setAttribute("aria-disabled", String(busy));
}
