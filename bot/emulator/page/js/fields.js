/** Controls that hold a value: each is drawn, and read back in the shape of Slack's `view.state.values`. */

import { h } from "./dom.js";
import { words } from "./mrkdwn.js";
import { displayName, people, store } from "./store.js";
import { fromWall, toWall } from "./time.js";

let drawn = 0;

/**
 * The control of an element: `node` to show, `target` that a label or the focus belongs to, `read()` its value,
 * `group` where it is several boxes under one legend; null for an element that holds no value.
 */
export function field(element, blockId) {
  const build = BUILDERS[element.type];
  if (!build) return null;
  drawn += 1;
  const control = build(element, `f${drawn}`);
  control.node.dataset.blockId = blockId;
  control.node.dataset.actionId = element.action_id ?? "";
  return { group: false, target: control.node, ...control, read: () => ({ type: element.type, ...control.read() }) };
}

const BUILDERS = {
  plain_text_input: (element, id) => (element.multiline ? longText(element, id) : line(element, id, "text")),
  number_input: (element, id) => line(element, id, "text", { inputmode: "decimal", autocomplete: "off" }),
  email_text_input: (element, id) => line(element, id, "email"),
  url_text_input: (element, id) => line(element, id, "url"),
  checkboxes: (element, id) => boxes(element, id, "checkbox"),
  radio_buttons: (element, id) => boxes(element, id, "radio"),
  multi_static_select: (element, id) => boxes(element, id, "checkbox", "box-list"),
  static_select: (element, id) => select(element, id, optionGroups(element)),
  users_select: (element, id) =>
    picker(
      element,
      id,
      "user",
      people().map((user) => [user.id, displayName(user)]),
    ),
  channels_select: (element, id) => picker(element, id, "channel", rooms()),
  conversations_select: (element, id) => picker(element, id, "conversation", rooms()),
  datepicker: (element, id) => moment(element, id, "date", "date"),
  timepicker: (element, id) => moment(element, id, "time", "time"),
  datetimepicker: (element, id) => dateTime(element, id),
};

const rooms = () =>
  store.state.channels.filter((channel) => !channel.is_im).map((channel) => [channel.id, `#${channel.name}`]);
const hint = (element) => (element.placeholder ? words(element.placeholder) : null);

function line(element, id, type, more = {}) {
  const node = h("input", {
    id,
    type,
    class: "input",
    placeholder: hint(element),
    maxlength: element.max_length,
    value: element.initial_value,
    ...more,
  });
  return { node, read: () => ({ value: node.value === "" ? null : node.value }) };
}

function longText(element, id) {
  const node = h("textarea", {
    id,
    class: "input",
    rows: 4,
    placeholder: hint(element),
    maxlength: element.max_length,
  });
  node.value = element.initial_value ?? "";
  return { node, read: () => ({ value: node.value === "" ? null : node.value }) };
}

const allOptions = (element) => element.options ?? (element.option_groups ?? []).flatMap((group) => group.options);
const optionGroups = (element) => element.option_groups ?? [{ label: null, options: element.options ?? [] }];

/** Options by place in the list, so that equal values stay apart and no value is ever put into markup. */
function select(element, id, groups) {
  const options = allOptions(element);
  const chosen = element.initial_option?.value;
  const item = (option) =>
    h("option", { value: options.indexOf(option), selected: option.value === chosen }, words(option.text));
  const node = h(
    "select",
    { id, class: "input" },
    h("option", { value: "" }, hint(element) ?? "Choose an option"),
    groups.map((group) => {
      const items = group.options.map(item);
      return group.label ? h("optgroup", { label: words(group.label) }, items) : items;
    }),
  );
  return { node, read: () => ({ selected_option: node.value === "" ? null : options[Number(node.value)] }) };
}

/** One of the workspace's own people or channels; `kind` names the key that Slack uses. */
function picker(element, id, kind, choices) {
  const chosen = element[`initial_${kind}`];
  const items = choices.map(([value, label]) => h("option", { value, selected: value === chosen }, label));
  const node = h(
    "select",
    { id, class: "input" },
    h("option", { value: "" }, hint(element) ?? `Choose a ${kind}`),
    items,
  );
  return { node, read: () => ({ [`selected_${kind}`]: node.value || null }) };
}

function boxes(element, id, type, style = "") {
  const options = allOptions(element);
  const chosen = new Set(
    (element.initial_options ?? [element.initial_option]).filter(Boolean).map((option) => option.value),
  );
  const inputs = options.map((option, index) =>
    h("input", {
      type,
      id: `${id}-${index}`,
      name: id,
      "data-field": `${element.action_id}-${index}`,
      checked: chosen.has(option.value),
    }),
  );
  const rows = options.map((option, index) =>
    h(
      "label",
      { class: "box", for: `${id}-${index}` },
      inputs[index],
      h("span", {}, words(option.text), option.description && h("small", {}, words(option.description))),
    ),
  );
  const picked = () => options.filter((_, index) => inputs[index].checked);
  const read = () => (type === "radio" ? { selected_option: picked()[0] ?? null } : { selected_options: picked() });
  return { node: h("div", { class: `boxes ${style}` }, rows), target: inputs[0], group: true, read };
}

/** `name` is both the input's type and the end of Slack's keys (`initial_date`, `selected_date`). */
function moment(element, id, type, name) {
  const node = h("input", { id, type, class: "input moment", value: element[`initial_${name}`] });
  return { node, read: () => ({ [`selected_${name}`]: node.value || null }) };
}

function dateTime(element, id) {
  const initial = element.initial_date_time;
  const node = h("input", {
    id,
    type: "datetime-local",
    class: "input moment",
    value: initial ? toWall(initial) : null,
  });
  return { node, read: () => ({ selected_date_time: node.value ? fromWall(node.value) : null }) };
}

/** The element with a value that was read before as its initial one, for a form that is drawn anew. */
export function withValue(element, value) {
  if (!value || value.type !== element.type) return element;
  const kept = Object.entries(value).filter(([name]) => name !== "type");
  const initial = Object.fromEntries(
    kept.map(([name, content]) => [
      name === "value" ? "initial_value" : name.replace("selected_", "initial_"),
      content ?? undefined,
    ]),
  );
  return { ...element, ...initial };
}
