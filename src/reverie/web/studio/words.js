// What the pages say in the same words.
import { make } from "../elements.js";
import { path } from "./ask.js";

export const STATUS = {
  training: "training", starting: "starting", measuring: "measuring", resuming: "starting again", finished: "finished",
  stopped: "stopped and saved", interrupted: "interrupted", diverged: "diverged", failed: "did not start",
  unreadable: "cannot be read", created: "starting",
};

/** Words with a capital in front. */
export function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

/** A status with its dot. */
export function badge(status) {
  return make("span", { className: `badge ${status}` }, STATUS[status] ?? status);
}

/** A time span as one reads it. */
export function duration(seconds) {
  if (!(seconds >= 0)) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A number with at most four digits that matter. */
export function figure(value) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size > 0 && size < 1e-6) return value.toExponential(2).replaceAll("-", "\u2212");
  const digits = size >= 1000 || Number.isInteger(value) ? 0 : Math.max(0, 3 - Math.floor(Math.log10(size)));
  const how = size < 1 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: digits };
  return value.toLocaleString("en", how).replace("-", "\u2212");
}

/** Whether the page is dark now. */
export function isDark() {
  return getComputedStyle(document.documentElement).colorScheme.trim() === "dark";
}

/** The address of a picture of a run, for the paper that the page has now. */
export function picture(run, kind, sheet) {
  const name = sheet.dark && isDark() ? sheet.name.replace(/\.png$/, ".dark.png") : sheet.name;
  return `${path("api", "runs", run, kind, name)}?made=${sheet.made}`;
}
