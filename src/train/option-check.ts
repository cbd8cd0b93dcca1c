/** @file Checks of single training options: numbers in range, names of a list, unknown keys. */
import { nearestNames } from "../graph/selection.ts";

export interface Bounds {
  min?: number;
  /** The least value itself is not allowed. */
  above?: number;
  max?: number;
  /** The largest value itself is not allowed. */
  below?: number;
  whole?: boolean;
}

/** @throws RangeError naming the option, its value and its bounds */
export function numberOption(name: string, value: unknown, bounds: Bounds): number {
  const { min, above, max, below, whole } = bounds;
  const fits =
    typeof value === "number" &&
    Number.isFinite(value) &&
    (min === undefined || value >= min) &&
    (above === undefined || value > above) &&
    (max === undefined || value <= max) &&
    (below === undefined || value < below) &&
    (!whole || Number.isInteger(value));
  if (fits) return value;
  const limits = [
    whole ? "whole" : undefined,
    min === undefined ? undefined : `at least ${min}`,
    above === undefined ? undefined : `above ${above}`,
    max === undefined ? undefined : `at most ${max}`,
    below === undefined ? undefined : `below ${below}`,
  ].filter((limit) => limit !== undefined);
  throw new RangeError(
    `train: ${name} is ${JSON.stringify(value) ?? "missing"}, it has to be a number${limits.length > 0 ? `, ${limits.join(", ")}` : ""}`,
  );
}

/** @throws RangeError with the nearest name */
export function nameOption<T extends string>(name: string, value: unknown, names: readonly T[]): T {
  const found = names.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  const near = nearestNames(String(value), names, 1)[0] ?? "";
  throw new RangeError(
    `train: ${name} ${JSON.stringify(value) ?? "is missing"} is none of ${names.join(", ")}; nearest: ${near}`,
  );
}

/** @throws RangeError for a key that means nothing here, with the nearest one */
export function knownKeys(name: string, options: object, keys: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (keys.includes(key)) continue;
    const near = nearestNames(key, keys, 1)[0] ?? "";
    throw new RangeError(`train: ${name} has no "${key}"; nearest: ${near}`);
  }
}

/** `"adam"` stands for `{ type: "adam" }`. */
export function typed<T extends { type: string }>(option: T | T["type"]): T {
  return (typeof option === "string" ? { type: option } : option) as T;
}
