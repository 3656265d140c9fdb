/** The small dialog that a `confirm` object asks for before an action is sent. */

import { h } from "./dom.js";
import { textObject, words } from "./mrkdwn.js";

/** Whether the person confirmed; closing it in any other way is a no. */
export function confirmed(wording) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const answer = (yes) => {
      dialog.close();
      dialog.remove();
      before?.focus();
      resolve(yes);
    };
    const ok = h(
      "button",
      {
        type: "button",
        class: `btn ${wording.style === "danger" ? "danger" : "primary"}`,
        "data-testid": "confirm-ok",
        onclick: () => answer(true),
      },
      words(wording.confirm) || "Yes",
    );
    const no = h(
      "button",
      { type: "button", class: "btn plain", "data-testid": "confirm-cancel", onclick: () => answer(false) },
      words(wording.deny) || "Cancel",
    );
    const dialog = h(
      "dialog",
      { class: "confirm", "data-testid": "confirm", "aria-labelledby": "confirm-title", role: "alertdialog" },
      h("h2", { id: "confirm-title" }, words(wording.title) || "Are you sure?"),
      h("div", { class: "confirm-text" }, textObject(wording.text)),
      h("div", { class: "dialog-foot" }, no, ok),
    );
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      answer(false);
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
