/** An input block: a label, a control, a hint, and room for what is wrong with it. */

import { h } from "./dom.js";
import { act } from "./elements.js";
import { field, withValue } from "./fields.js";
import { words } from "./mrkdwn.js";

export function inputBlock(block, context) {
  const element = withValue(block.element, context.typed?.(block));
  const control = field(element, block.block_id);
  if (!control)
    return h("div", { class: "unsupported" }, `A ${String(block.element.type)} input, which this page does not draw.`);
  context.register?.(block, block.element, control);
  if (block.dispatch_action) dispatching(block, control, context);
  const name = [words(block.label), block.optional && h("span", { class: "optional" }, " (optional)")];
  const about = [
    block.hint && h("p", { class: "hint", id: `${control.target.id}-hint` }, words(block.hint)),
    h("p", {
      class: "error",
      id: `${control.target.id}-error`,
      "data-testid": `error-${block.block_id}`,
      role: "alert",
      hidden: true,
    }),
  ];
  describe(control, block, `${control.target.id}-hint ${control.target.id}-error`);
  const label = control.group
    ? h("legend", { class: "label" }, name)
    : h("label", { class: "label", for: control.target.id }, name);
  return h(
    control.group ? "fieldset" : "div",
    { class: "b-input", "data-testid": `field-${block.block_id}` },
    label,
    control.node,
    about,
  );
}

function describe(control, block, ids) {
  control.target.setAttribute("aria-describedby", ids);
  if (!block.optional && !control.group) control.target.setAttribute("aria-required", "true");
  if (block.element.focus_on_load) control.target.setAttribute("autofocus", "");
}

function dispatching(block, control, context) {
  control.node.addEventListener("change", () => {
    const { type: _, ...value } = control.read();
    return act(control.node, block.element, block, context, value);
  });
}

/** Shows or clears the sentence under a field. */
export function showError(form, blockId, sentence) {
  const slot = [...form.querySelectorAll(".error")].find((node) => node.dataset.testid === `error-${blockId}`);
  if (!slot) return false;
  slot.textContent = sentence ?? "";
  slot.hidden = !sentence;
  const holder = slot.closest(".b-input");
  holder.classList.toggle("wrong", Boolean(sentence));
  holder.querySelector("input, select, textarea")?.setAttribute("aria-invalid", String(Boolean(sentence)));
  return true;
}
