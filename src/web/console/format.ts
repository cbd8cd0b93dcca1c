/** @file Figures as people read them. */
export { bytes } from "../../cli/table.ts";

const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** `52,266` */
export const whole = (value: number) => WHOLE.format(value);
/** `52.3K` */
export const compact = (value: number) => COMPACT.format(value);

/** Four digits that say something: `0.01234`, `12.35`, `1.2e-7`. */
export function real(value: number | null | undefined, none = "–"): string {
  if (value === null || value === undefined) return none;
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** Signal over error; without a figure nothing differs. */
export const decibels = (value: number | null) =>
  value === null ? "exact" : `${value.toFixed(1)} dB`;

export const milliseconds = (value: number) =>
  value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${real(Number(value.toPrecision(3)))} ms`;

/** @param seconds Unix time */
export const when = (seconds: number) => WHEN.format(seconds * 1000);

/** `3 s`, `2 min`, `5 h`, `3 d` */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}

/** `1 row`, `2 rows` */
export const count = (value: number, one: string, many = `${one}s`) =>
  `${whole(value)} ${value === 1 ? one : many}`;

/** `[N, 3, 224, 224]`; unknown dimensions as `?`. */
export const shape = (dims: readonly (number | string | null)[] | null) =>
  dims === null ? "any shape" : `[${dims.map((each) => each ?? "?").join(", ")}]`;
