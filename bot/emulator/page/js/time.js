/** Times as the viewer's wall clock shows them: their Slack time zone where known, else the browser's. */

import { store } from "./store.js";

const ISO = "en-CA"; // the one locale whose numeric date is 2025-11-24

function zone() {
  const tz = store.me()?.tz;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: tz });
    return tz || undefined;
  } catch {
    return undefined;
  }
}

function format(seconds, options, locale = "en-GB") {
  return new Intl.DateTimeFormat(locale, { timeZone: zone(), ...options }).format(new Date(seconds * 1000));
}

export const isoDay = (seconds) => format(seconds, { year: "numeric", month: "2-digit", day: "2-digit" }, ISO);
export const clockTime = (seconds) => format(seconds, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const longDay = (seconds) => format(seconds, { weekday: "long", day: "numeric", month: "long" });
export const fullTime = (seconds) =>
  `${format(seconds, { weekday: "long", day: "numeric", month: "long", year: "numeric" })}, ${clockTime(seconds)}`;
export const clockFace = (seconds) => ({
  day: format(seconds, { weekday: "long", day: "numeric", month: "short" }),
  time: clockTime(seconds),
});

/** Seconds since the epoch of the demo's clock, or of this machine's where the emulator has no clock of its own. */
export function now() {
  const shown = store.state?.panel?.now ?? store.state?.now;
  return shown === undefined || shown === null ? Date.now() / 1000 : toSeconds(shown);
}

export function toSeconds(value) {
  return typeof value === "number" ? value : Date.parse(value) / 1000;
}

/** "Today", "Yesterday", "Tomorrow", or null for any other day. */
function nearDay(seconds) {
  const day = isoDay(seconds);
  const near = { [isoDay(now())]: "Today", [isoDay(now() - 86400)]: "Yesterday", [isoDay(now() + 86400)]: "Tomorrow" };
  return near[day] ?? null;
}

/** "at 10:42" of today, "yesterday at 10:42", "on Friday 20 November at 10:42". */
export function pastTime(seconds) {
  const day = nearDay(seconds)?.toLowerCase() ?? `on ${longDay(seconds)}`;
  return `${day === "today" ? "" : `${day} `}at ${clockTime(seconds)}`;
}

/** The city that names the viewer's time zone. */
export const zoneCity = () =>
  (zone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone).split("/").at(-1).replaceAll("_", " ");

export const dayLabel = (seconds) => nearDay(seconds) ?? longDay(seconds);

const DATE_TOKENS = {
  date_num: isoDay,
  date: (s) => format(s, { day: "numeric", month: "long", year: "numeric" }),
  date_short: (s) => format(s, { day: "numeric", month: "short", year: "numeric" }),
  date_long: (s) => format(s, { weekday: "long", day: "numeric", month: "long", year: "numeric" }),
  date_pretty: (s) => pretty(s) ?? DATE_TOKENS.date(s),
  date_short_pretty: (s) => pretty(s) ?? DATE_TOKENS.date_short(s),
  date_long_pretty: (s) => pretty(s) ?? DATE_TOKENS.date_long(s),
  day_divider_pretty: (s) => dayLabel(s),
  time: clockTime,
  time_secs: (s) => format(s, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  ago: (s) => ago(s),
};

/** Slack's `<!date>` pattern filled in; null where the pattern holds a token that Slack does not have. */
export function datePattern(seconds, pattern) {
  let known = true;
  const text = pattern.replace(/\{(\w+)\}/g, (_, token) => {
    known = known && token in DATE_TOKENS;
    return known ? DATE_TOKENS[token](seconds) : "";
  });
  return known ? text : null;
}

// "Due {date_pretty}" reads "Due today".
const pretty = (seconds) => nearDay(seconds)?.toLowerCase();

function ago(seconds) {
  const past = Math.round(now() - seconds);
  const units = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const [unit, size] = units.find(([, length]) => Math.abs(past) >= length) ?? ["second", 1];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  return words.format(-Math.round(past / size), unit);
}

/** "2025-11-24T16:00" on the viewer's wall clock, for an `<input type=datetime-local>`. */
export const toWall = (seconds) => `${isoDay(seconds)}T${clockTime(seconds)}`;

/** The other way: whole seconds since the epoch. Asked twice, because the offset itself depends on the answer. */
export function fromWall(wall) {
  const asUtc = Date.parse(`${wall}:00Z`) / 1000;
  const offset = (seconds) => Date.parse(`${toWall(seconds)}:00Z`) / 1000 - Math.floor(seconds / 60) * 60;
  const guess = asUtc - offset(asUtc);
  return asUtc - offset(guess);
}
