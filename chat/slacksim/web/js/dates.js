// Dates as Slack shows them: in the reader's language and this machine's zone.
import { me } from "./store.js";
import { h } from "./dom.js";

const locale = () => (me() && me().locale) || undefined;
const fmt = (options, d) => new Intl.DateTimeFormat(locale(), options).format(d);

function pretty(d, otherwise) {
  const midnight = (x) => new Date(x.getFullYear(), x.getMonth(), x.getDate());
  const days = Math.round((midnight(d) - midnight(new Date())) / 86400000);
  if (Math.abs(days) > 1) return otherwise;
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(days, "day");
}

function ago(d) {
  const s = (d - Date.now()) / 1000;
  const rtf = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  for (const [unit, n] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(s) >= n) return rtf.format(Math.round(s / n), unit);
  }
  return rtf.format(Math.round(s), "second");
}

const day = { month: "short", day: "numeric" };
const FORMATS = {
  date_num: (d) => fmt({ year: "numeric", month: "2-digit", day: "2-digit" }, d),
  date_slash: (d) => fmt({ year: "numeric", month: "2-digit", day: "2-digit" }, d),
  date: (d) => fmt({ year: "numeric", month: "long", day: "numeric" }, d),
  date_short: (d) => fmt({ year: "numeric", ...day }, d),
  date_long: (d) => fmt({ weekday: "long", year: "numeric", month: "long", day: "numeric" }, d),
  date_pretty: (d) => pretty(d, FORMATS.date(d)),
  date_short_pretty: (d) => pretty(d, FORMATS.date_short(d)),
  date_long_pretty: (d) => pretty(d, FORMATS.date_long(d)),
  day_divider_pretty: (d) => pretty(d, fmt({ weekday: "long", month: "long", day: "numeric" }, d)),
  time: (d) => fmt({ hour: "numeric", minute: "2-digit" }, d),
  time_secs: (d) => fmt({ hour: "numeric", minute: "2-digit", second: "2-digit" }, d),
  ago,
};

// dateToken renders <!date^unix^format^link|fallback>.
export function dateToken(unix, format, fallback) {
  const d = new Date(unix * 1000);
  if (Number.isNaN(d.getTime())) return fallback;
  const text = format.replace(/\{(\w+)\}/g, (all, name) => (FORMATS[name] ? FORMATS[name](d) : all));
  return h("time", { dateTime: d.toISOString(), title: FORMATS.date_long(d) + ", " + FORMATS.time_secs(d) }, text);
}

// stamp is the time beside a message's author.
export function stamp(ts) {
  const d = new Date(Number(ts) * 1000);
  return h("time", { class: "stamp", dateTime: d.toISOString(), title: FORMATS.date_long(d) + ", " + FORMATS.time_secs(d) },
    FORMATS.time(d));
}

// dayOf names the day of a message, for the line between days.
export const dayOf = (ts) => FORMATS.day_divider_pretty(new Date(Number(ts) * 1000));
