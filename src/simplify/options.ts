/** @file The options of simplification, and what they stand for. */
import { nearestNames } from "../graph/selection.ts";

/** In the order in which a round runs them. */
export const PASS_NAMES = [
  "inline_functions",
  "store_constants",
  "fold_shapes",
  "fold_constants",
  "inline_if",
  "eliminate_noops",
  "merge_transposes",
  "merge_reshapes",
  "fuse_batch_normalization",
  "fuse_scale_shift",
  "merge_initializers",
  "merge_common_subexpressions",
  "eliminate_unused",
] as const;

export type PassName = (typeof PASS_NAMES)[number];

export interface SimplifyOptions {
  /** Only these passes. Default: all. */
  passes?: readonly string[];
  /** All but these. */
  skip_passes?: readonly string[];
  /**
   * Bytes by which a constant that is computed may outgrow the nodes and initializers that it replaces. Default 0: no
   * model grows by folding.
   */
  fold_constants_limit?: number;
  /** Default true; false is `fuse_batch_normalization` among `skip_passes`. */
  fuse_batch_normalization?: boolean;
  /** Sizes of inputs, by name: `{"x": [1, 3, 224, 224]}`. The result takes no others. */
  input_shapes?: Readonly<Record<string, readonly number[]>>;
}

/**
 * The passes that the options choose, in their order.
 * @throws RangeError naming a pass that does not exist
 */
export function chosenPasses(options: SimplifyOptions): PassName[] {
  const { passes, skip_passes = [], fuse_batch_normalization = true } = options;
  for (const name of [...(passes ?? []), ...skip_passes]) requirePass(name);
  const skipped = new Set(skip_passes);
  if (!fuse_batch_normalization) skipped.add("fuse_batch_normalization");
  return PASS_NAMES.filter((name) => !skipped.has(name) && (passes?.includes(name) ?? true));
}

function requirePass(name: string): void {
  if ((PASS_NAMES as readonly string[]).includes(name)) return;
  const near = nearestNames(name, PASS_NAMES, 1)[0] ?? "";
  throw new RangeError(`simplify: there is no pass "${name}"; nearest: "${near}"`);
}

/** @throws RangeError when it is no whole number of bytes */
export function foldingLimit({ fold_constants_limit = 0 }: SimplifyOptions): number {
  if (!Number.isSafeInteger(fold_constants_limit) || fold_constants_limit < 0) {
    throw new RangeError(
      `simplify: fold_constants_limit is ${fold_constants_limit}, not a whole number of bytes from 0 on`,
    );
  }
  return fold_constants_limit;
}
