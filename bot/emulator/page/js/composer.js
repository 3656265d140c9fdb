/** The box to write in: plain words are posted as the user, `/words` are a slash command. */

import { command, say } from "./api.js";
import { h, icon } from "./dom.js";
import { trouble } from "./elements.js";
import { refresh, store } from "./store.js";

/** A box for a channel, or for a thread of it. */
export function composer(channel, placeholder, thread = null) {
  const box = h("textarea", {
    class: "composer-box",
    rows: 1,
    placeholder,
    "aria-label": placeholder,
    "data-testid": thread ? "thread-composer" : "composer",
  });
  const note = h("p", { class: "composer-note", role: "status", hidden: true });
  const submit = async () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    fit(box);
    const problem = trouble(await send(channel, text, thread));
    note.textContent = problem ?? "";
    note.hidden = !problem;
    if (problem && !box.value) box.value = text;
    await refresh().catch(() => undefined);
  };
  box.addEventListener("input", () => fit(box));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  const button = h(
    "button",
    {
      type: "button",
      class: "send",
      "aria-label": "Send",
      "data-testid": thread ? "thread-send" : "send",
      onclick: submit,
    },
    icon("send"),
  );
  return h("div", { class: "composer" }, h("div", { class: "composer-frame" }, box, button), note);
}

function send(channel, text, thread) {
  const { user } = store.place;
  const [, name, rest] = /^(\/[a-z0-9_-]+)(?:\s+([\s\S]*))?$/i.exec(text) ?? [];
  return name && !thread
    ? command(user, channel, name, rest ?? "")
    : say(user, channel, escaped(text), thread ?? undefined);
}

// What a person types is text; Slack's own clients send it escaped.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function fit(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
}
