/** The emulator's control interface (control.py), as the page uses it. */

async function post(path, body) {
  try {
    const response = await fetch(`/_emulator/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, acked: false, error: "no_emulator" };
  }
}

/**
 * The workspace as one person sees it (the first one for an empty id), with the last `most` messages of each
 * channel; null for a person who is not there.
 */
export async function fetchState(user, most) {
  const response = await fetch(`/_emulator/state?user=${encodeURIComponent(user)}&most=${most}`);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`state: ${response.status}`);
  return response.json();
}

export const click = (body) => post("click", body);
export const submit = (user, view_id, values) => post("submit", { user, view_id, values });
export const closeView = (user, view_id) => post("close", { user, view_id });
export const command = (user, channel, name, text) => post("command", { user, channel, command: name, text });
export const markRead = (user, channel) => post("read", { user, channel });
export const openHome = (user) => post("home", { user });
export const say = (user, channel, text, thread_ts) => post("message", { user, channel, text, thread_ts });
export const deleteMessage = (user, channel, ts) => post("delete", { user, channel, ts });
export const runPanelAction = (action) => post("panel", { action });

/** Calls `onChange` whenever anything changed and after every reconnection; `onBreak` when the line is down. */
export function listen(onChange, onBreak) {
  const source = new EventSource("/_emulator/events");
  source.addEventListener("open", onChange);
  source.addEventListener("change", onChange);
  source.addEventListener("message", onChange);
  source.addEventListener("error", onBreak);
}
