/** @file The options of pruning, under torch.nn.utils.prune's names, and what they stand for. */
import { nearestNames } from "../graph/selection.ts";

export const PRUNE_METHODS = [
  "l1_unstructured",
  "random_unstructured",
  "ln_structured",
  "random_structured",
  "global_unstructured",
  "n_m",
] as const;

export type PruneMethod = (typeof PRUNE_METHODS)[number];

/**
 * How much to prune: a fraction from 0 to 1, a whole number of elements (or slices, where the
 * method is structured) from 2 on, or `{ count }`, the only way to ask for a count of one,
 * because JSON does not tell 1 from 1.0.
 */
export type PruneAmount = number | { count: number };

export interface PruneOptions {
  /** Default `l1_unstructured`. */
  method?: PruneMethod;
  /** Default 0.5; without it, and with `amounts`, only the weights of `amounts` are pruned. Unused by `n_m`. */
  amount?: PruneAmount;
  /** Amounts by weight name or node name (the weight's wins). Not for `global_unstructured` and `n_m`. */
  amounts?: Record<string, PruneAmount>;
  /** `ln_structured`: order of the norm. Any number, `inf`, `-inf`, `fro` (2). Default 2. */
  n?: number | "inf" | "-inf" | "fro";
  /**
   * Structured methods: the axis whose slices are pruned, of the weight as its node reads it (after
   * Transposes), negative from the end; or `output`/`input` for the op's own output or input
   * features. Default `output`, which is torch's `dim=0` for Linear and Conv whatever the export's layout.
   */
  dim?: number | "output" | "input";
  /** `n_m`: `N:M` keeps the N largest of every M weights along the reduction. Default `2:4`. */
  pattern?: string;
  /** Random methods: a whole number; the same seed prunes the same elements everywhere. Default 0. */
  seed?: number;
  /** `sparse`: ONNX sparse tensors where they take fewer bytes than zeros. Default `dense`. */
  storage?: "dense" | "sparse";
  /** Only these nodes. */
  nodes_to_prune?: string[];
  /** Never these nodes, nor weights that they share. */
  nodes_to_exclude?: string[];
  /** Default: Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN, Attention and fused forms; `Gather` on request. */
  op_types?: string[];
}

/** The options with their defaults, checked. */
export interface PruneSettings {
  method: PruneMethod;
  /** `undefined`: only what `amounts` names. */
  amount: PruneAmount | undefined;
  amounts: ReadonlyMap<string, PruneAmount>;
  /** Order of the norm. */
  order: number;
  dim: number | "output" | "input";
  /** N and M of N:M. */
  keep: number;
  group: number;
  seed: number;
  sparse: boolean;
}

/** Longest group of N:M: the ranks within a group are found by comparing all pairs. */
const MAX_GROUP = 256;

/** @throws RangeError naming the option, its value and what it can be */
export function pruneSettings(options: PruneOptions): PruneSettings {
  const method = options.method ?? "l1_unstructured";
  if (!PRUNE_METHODS.includes(method)) {
    const near = nearestNames(String(method), PRUNE_METHODS, 1)[0] ?? "";
    throw new RangeError(
      `prune: method "${String(method)}" is none of ${PRUNE_METHODS.join(", ")}; nearest: ${near}`,
    );
  }
  const amounts = new Map(Object.entries(options.amounts ?? {}));
  if (amounts.size > 0 && (method === "global_unstructured" || method === "n_m")) {
    throw new RangeError(`prune: ${method} takes no amounts by layer`);
  }
  for (const [name, amount] of amounts) checkAmount(amount, `amounts["${name}"]`);
  const amount = options.amount ?? (amounts.size > 0 ? undefined : 0.5);
  if (amount !== undefined) checkAmount(amount, "amount");
  const seed = options.seed ?? 0;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`prune: seed is ${seed}, not a whole number from 0 to 2^53 - 1`);
  }
  const storage = options.storage ?? "dense";
  if (storage !== "dense" && storage !== "sparse") {
    throw new RangeError(`prune: storage "${String(storage)}" is neither dense nor sparse`);
  }
  return {
    method,
    amount,
    amounts,
    order: normOrder(options.n ?? 2),
    dim: checkDim(options.dim ?? "output"),
    ...parsePattern(options.pattern ?? "2:4"),
    seed,
    sparse: storage === "sparse",
  };
}

function checkAmount(amount: PruneAmount, option: string): void {
  const value: unknown = typeof amount === "object" ? amount?.count : amount;
  const counted = typeof amount === "object" || Number(value) > 1;
  if (typeof value !== "number" || !(value >= 0) || (counted && !Number.isSafeInteger(value))) {
    throw new RangeError(
      `prune: ${option} is ${JSON.stringify(amount)}, not a fraction from 0 to 1 or a whole number`,
    );
  }
}

function normOrder(n: unknown): number {
  if (n === "inf") return Infinity;
  if (n === "-inf") return -Infinity;
  if (n === "fro") return 2;
  if (typeof n !== "number" || Number.isNaN(n)) {
    throw new RangeError(`prune: n is ${JSON.stringify(n)}, not a number, inf, -inf or fro`);
  }
  return n;
}

function checkDim(dim: unknown): number | "output" | "input" {
  if (dim === "output" || dim === "input") return dim;
  if (typeof dim !== "number" || !Number.isSafeInteger(dim)) {
    throw new RangeError(`prune: dim is ${JSON.stringify(dim)}, not an axis, output or input`);
  }
  return dim;
}

function parsePattern(pattern: string): { keep: number; group: number } {
  const match = /^(\d{1,4}):(\d{1,4})$/.exec(String(pattern));
  const keep = Number(match?.[1] ?? NaN);
  const group = Number(match?.[2] ?? NaN);
  if (!(keep < group) || group > MAX_GROUP) {
    throw new RangeError(
      `prune: pattern "${pattern}" is not N:M with 0 ≤ N < M ≤ ${MAX_GROUP}, like 2:4`,
    );
  }
  return { keep, group };
}
