/** Block Kit, from blocks to nodes. */

import { h, icon } from "./dom.js";
import { interactive } from "./elements.js";
import { inputBlock } from "./input.js";
import { markdown } from "./markdown.js";
import { textObject, words } from "./mrkdwn.js";
import { richInline, richText } from "./richtext.js";

const LEVELS = { info: "ℹ", warning: "⚠", error: "⚠", success: "✓" };

/** All blocks of a message or view; `context` as in elements.js. */
export function blocks(list, context) {
  return h(
    "div",
    { class: "blocks" },
    (list ?? []).map((block) => draw(block, context)),
  );
}

function draw(block, context) {
  const build = BUILDERS[block.type];
  if (!build)
    return h("div", { class: "unsupported" }, `A ${String(block.type)} block, which this page does not draw.`);
  const node = build(block, context);
  node.dataset.block = block.type;
  return node;
}

const BUILDERS = {
  header: (block) => h("div", { class: "b-header", role: "heading", "aria-level": 2 }, words(block.text)),
  divider: () => h("hr", { class: "b-divider" }),
  section,
  context: (block) => h("div", { class: "b-context" }, (block.elements ?? []).map(contextElement)),
  actions: (block, context) =>
    h(
      "div",
      { class: "b-actions" },
      (block.elements ?? []).map((element) => interactive(element, block, context)),
    ),
  context_actions: (block, context) => BUILDERS.actions(block, context),
  input: inputBlock,
  image: (block) =>
    h("figure", { class: "b-image" }, block.title && h("figcaption", {}, words(block.title)), picture(block)),
  rich_text: richText,
  markdown: (block) => h("div", { class: "b-markdown" }, markdown(block.text ?? "")),
  table,
  alert: (block) =>
    h(
      "div",
      { class: `b-alert level-${block.level ?? "default"}`, role: block.level === "error" ? "alert" : "note" },
      h("span", { class: "b-alert-mark", "aria-hidden": "true" }, LEVELS[block.level] ?? "•"),
      h("div", {}, textObject(block.text)),
    ),
};

function section(block, context) {
  const body = h(
    "div",
    { class: "b-section-body" },
    block.text && h("div", { class: "b-text" }, textObject(block.text)),
    block.fields &&
      h(
        "div",
        { class: "b-fields" },
        block.fields.map((field) => h("div", { class: "b-field" }, textObject(field))),
      ),
  );
  const side =
    block.accessory &&
    (block.accessory.type === "image" ? picture(block.accessory) : interactive(block.accessory, block, context));
  return h(
    "div",
    { class: "b-section" },
    body,
    side && h("div", { class: `b-accessory ${block.accessory.type}` }, side),
  );
}

function contextElement(element) {
  if (element.type === "image") return h("span", { class: "b-context-image" }, picture(element, true));
  return h("span", { class: "b-context-text" }, textObject(element));
}

/** Pictures of this page's own server are shown; any other is named, since nothing is fetched from elsewhere. */
function picture(image, small = false) {
  const url = image.image_url ?? image.slack_file?.url ?? "";
  const alt = image.alt_text ?? "";
  if (url.startsWith("data:image/") || URL.parse?.(url, location.href)?.origin === location.origin) {
    return h("img", { src: url, alt, loading: "lazy" });
  }
  return h(
    "span",
    { class: "no-picture", role: "img", "aria-label": alt, title: alt },
    icon("picture"),
    small ? null : h("span", {}, alt || "picture"),
  );
}

function table(block) {
  const [head = [], ...rows] = block.rows ?? [];
  const align = (index) => `to-${block.column_settings?.[index]?.align ?? "left"}`;
  const cell = (tag) => (content, index) => h(tag, { class: align(index) }, cellContent(content));
  return h(
    "div",
    { class: "table-scroll" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, head.map(cell("th")))),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, row.map(cell("td")))),
      ),
    ),
  );
}

function cellContent(cell) {
  if (cell.type === "rich_text") return richInline(cell);
  return String(cell.text ?? cell.value ?? "");
}
