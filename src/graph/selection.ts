/** @file Which nodes a pass may touch: by name, by op type; names that match nothing are an error. */
import type { Model, Node } from "../onnx/model.ts";
import { Scope } from "./scope.ts";

export interface SelectionOptions {
  /** Only these nodes (by name). Empty or absent: all. */
  include?: readonly string[] | undefined;
  /** Never these nodes (by name). */
  exclude?: readonly string[] | undefined;
  /** Only these op types. */
  opTypes?: readonly string[] | undefined;
}

/** A name in the options that the model does not have; the message lists the nearest ones. */
export class UnknownNameError extends RangeError {
  override readonly name = "UnknownNameError";
}

/**
 * Makes the predicate of a selection.
 * @throws UnknownNameError when a listed node name or op type is not in the model
 */
export function selectNodes(model: Model, options: SelectionOptions): (node: Node) => boolean {
  const names = new Set<string>();
  const opTypes = new Set<string>();
  for (const scope of Scope.of(model.graph).walk()) {
    for (const node of scope.graph.nodes) {
      names.add(node.name);
      opTypes.add(node.opType);
    }
  }
  requireKnown("node", options.include, names);
  requireKnown("node", options.exclude, names);
  requireKnown("op type", options.opTypes, opTypes);
  const include = options.include?.length ? new Set(options.include) : undefined;
  const exclude = new Set(options.exclude);
  const types = options.opTypes?.length ? new Set(options.opTypes) : undefined;
  return (node) =>
    (!include || include.has(node.name)) &&
    !exclude.has(node.name) &&
    (!types || types.has(node.opType));
}

/** @throws UnknownNameError listing up to three of the nearest known names */
export function requireKnown(
  kind: string,
  wanted: readonly string[] | undefined,
  known: ReadonlySet<string>,
): void {
  for (const name of wanted ?? []) {
    if (known.has(name)) continue;
    const near = nearestNames(name, known, 3).map((candidate) => `"${candidate}"`);
    const hint = near.length > 0 ? `; nearest: ${near.join(", ")}` : "";
    throw new UnknownNameError(`the model has no ${kind} "${name}"${hint}`);
  }
}

/** The `count` known names with the least edit distance to `name`, nearest first. */
export function nearestNames(name: string, known: Iterable<string>, count: number): string[] {
  const lower = name.toLowerCase();
  return [...known]
    .filter((candidate) => candidate !== "")
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** Longer names are compared by their first 128 characters, so that a request cannot buy quadratic work. */
const MAX_COMPARED = 128;

/** Levenshtein distance by the two-row table (Wagner & Fischer 1974). */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, MAX_COMPARED);
  const b = right.slice(0, MAX_COMPARED);
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
