/** @file Selecting names by patterns, in which `*` stands for any characters. */
import { nearestNames, UnknownNameError } from "../graph/selection.ts";

/** True for a name that matches one of the patterns from end to end. */
export function matcher(patterns: readonly string[]): (name: string) => boolean {
  return (name) => patterns.some((pattern) => matches(pattern, name));
}

/** In linear time: each part between stars is sought once, as far to the left as it occurs. */
function matches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let position = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return name.length - last.length >= position && name.endsWith(last);
}

/**
 * The names that match.
 * @throws UnknownNameError for a pattern that matches none of them, listing up to three of the nearest
 */
export function selectNames(
  kind: string,
  patterns: readonly string[],
  names: readonly string[],
): string[] {
  for (const pattern of patterns) {
    if (names.some(matcher([pattern]))) continue;
    const near = nearestNames(pattern, names, 3).map((name) => `"${name}"`);
    const hint = near.length > 0 ? `; nearest: ${near.join(", ")}` : "";
    throw new UnknownNameError(`train: no ${kind} matches "${pattern}"${hint}`);
  }
  return names.filter(matcher(patterns));
}
