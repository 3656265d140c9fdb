/** Building and swapping elements. A string child is always text: nothing here parses markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An element; `on…` attributes are listeners, null and false leave an attribute or child out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) assign(node, name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function assign(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

const ICONS = {
  hash: "M8 3 6.5 17M13.5 3 12 17M3.5 7.5h13M3 12.5h13",
  lock: "M5 9h10v7H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  home: "M3.5 9.5 10 4l6.5 5.5M5 8.5V16h10V8.5M8.5 16v-4h3v4",
  chevron: "m5.5 8 4.5 4.5L14.5 8",
  reply: "M4 5h12v8.5H9.5L6 16.5v-3H4z",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.4-2.4a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-2.4 2.4a3 3 0 0 0 4.3 4.3l1-1",
  trash: "M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.6L14 6M8.7 9v4.5M11.3 9v4.5",
  close: "m5.5 5.5 9 9M14.5 5.5l-9 9",
  send: "M4 4.5 16.5 10 4 15.5 5.5 10zM5.5 10H10",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  eye: "M2.5 10S5.5 5 10 5s7.5 5 7.5 5-3 5-7.5 5-7.5-5-7.5-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l2.8 1.8",
  ledger: "M4.5 4h11v12h-11zM12 4v12M6.8 7.2h2.6M6.8 10h2.6M6.8 12.8h2.6",
  warning: "M10 4 3 16h14zM10 8.5v3.2M10 13.8h.01",
  check: "m4.5 10.5 3.5 3.5 7.5-8",
  picture: "M3.5 4.5h13v11h-13zM4 14l3.5-4 3 3 2.5-2.5 3.5 3.5M12.8 8h.01",
};

/** A small line icon, hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Replaces what a container shows if `key` changed, and gives the focus back to the same control. */
export function swap(container, key, build) {
  if (container.shownKey === key) return false;
  container.shownKey = key;
  keepingFocus(container, () => container.replaceChildren(...[build()].flat().filter(Boolean)));
  return true;
}

const IDENTITIES = ["data-testid", "data-block-id", "data-action-id", "data-field"];

/** Runs a change of `container`'s content; the control that had the focus has it afterwards, where it still exists. */
export function keepingFocus(container, change) {
  const active = document.activeElement;
  const selector = container.contains(active) && active !== container ? identity(active) : null;
  change();
  if (selector && !container.contains(document.activeElement)) container.querySelector(selector)?.focus();
}

function identity(node) {
  const known = IDENTITIES.filter((name) => node.hasAttribute(name));
  return known.map((name) => `[${name}=${JSON.stringify(node.getAttribute(name))}]`).join("") || null;
}

/**
 * Brings a list's children in line with `items` ({key, print, build}), reusing every node whose print is unchanged.
 * Who worked in a redrawn item keeps the focus there: on the same control, or on the item where that is gone;
 * where the item is gone itself, on the one before it.
 */
export function reconcile(list, items) {
  const known = new Map([...list.children].map((node) => [node.itemKey, node]));
  const active = document.activeElement;
  const at = [...list.children].findIndex((node) => node.contains(active));
  const worked = list.children[at]?.itemKey;
  const selector = worked && identity(active);
  const nodes = items.map((item) => reuse(known.get(item.key), item));
  place(list, nodes);
  if (!worked || list.contains(document.activeElement)) return;
  const before = () => nodes.slice(0, at).findLast((node) => node.hasAttribute("tabindex"));
  const item = nodes.find((node) => node.itemKey === worked) ?? before();
  ((selector && item?.querySelector(selector)) || item)?.focus({ preventScroll: true });
}

// What is gone goes first: so nothing that stays is moved, and the reader's place on the page holds.
function place(list, nodes) {
  const kept = new Set(nodes);
  for (const node of [...list.children]) if (!kept.has(node)) node.remove();
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}

function reuse(node, item) {
  if (node && node.itemPrint === item.print) return node;
  const fresh = item.build(node);
  fresh.itemKey = item.key;
  fresh.itemPrint = item.print;
  return fresh;
}
