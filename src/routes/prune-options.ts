/** @file Options of pruning, under torch.nn.utils.prune's names. */
import { z } from "@hono/zod-openapi";
import { PRUNE_METHODS } from "../prune/options.ts";
import { type OptionTable, refuseOptionsOfOthers, schemasOf } from "./option-table.ts";
import { asJson, choice, list, number, option } from "./option-text.ts";

const STRUCTURED = ["ln_structured", "random_structured"];

const amount = z.union([z.number().min(0), z.strictObject({ count: z.number().int().min(0) })]);

const AMOUNT = {
  description:
    'A fraction from 0 to 1 (default 0.5), or how many: a whole number from 2 on, or {"count": 1}.',
  example: 0.5,
};

/** In a query a whole number is a count, as torch takes an int: `amount=1` is one element, `amount=1.0` all. */
function amountFromText(text: string | string[]): unknown {
  if (typeof text === "string" && /^\d+$/.test(text)) return { count: Number(text) };
  return asJson(text);
}

const wordOrNumber = (text: string | string[]) =>
  typeof text === "string" && /^-?[\d.]+$/.test(text) ? Number(text) : text;

export const PRUNE_OPTIONS: OptionTable = {
  method: { option: choice(PRUNE_METHODS, "Default l1_unstructured.") },
  amount: { option: option(amount, AMOUNT, amountFromText) },
  amounts: {
    option: option(
      z.record(z.string(), amount.openapi(AMOUNT)),
      {
        description: "Amounts by weight or node name, as JSON.",
        example: { "fc1.weight": 0.8 },
      },
      asJson,
    ),
    methods: PRUNE_METHODS.filter((method) => method !== "global_unstructured" && method !== "n_m"),
  },
  n: {
    option: option(
      z.union([z.number(), z.enum(["inf", "-inf", "fro"])]),
      { description: "Order of the norm (default 2).", example: 2 },
      wordOrNumber,
    ),
    methods: ["ln_structured"],
  },
  dim: {
    option: option(
      z.union([z.number().int(), z.enum(["output", "input"])]),
      {
        description:
          "Axis whose slices are pruned, or the op's output (default) or input features.",
        example: "output",
      },
      wordOrNumber,
    ),
    methods: STRUCTURED,
  },
  pattern: {
    option: option(
      z.string().regex(/^\d{1,4}:\d{1,4}$/, "must be N:M, like 2:4"),
      { description: "Keeps the N largest of every M weights (default 2:4).", example: "2:4" },
      (text) => text,
    ),
    methods: ["n_m"],
  },
  seed: {
    option: number(
      z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
      "Of the random methods (default 0).",
      0,
    ),
    methods: ["random_unstructured", "random_structured"],
  },
  storage: {
    option: choice(
      ["dense", "sparse"],
      "Zeros in place (default), or ONNX sparse tensors where they take fewer bytes.",
    ),
  },
  nodes_to_prune: { option: list("Only these nodes, by name.", "/fc1/Gemm") },
  nodes_to_exclude: { option: list("Never these nodes, by name.", "/head/Gemm") },
  op_types: { option: list("Only these op types.", "Conv") },
};

const { names, json, query } = schemasOf(PRUNE_OPTIONS);

export const PRUNE_OPTION_NAMES = names;
export const PruneOptions = json.openapi("PruneOptions");
export const PruneQuery = query;

/**
 * The options as the engine takes them.
 * @throws ApiError for options that the method does not have
 */
export function pruneRequest(given: Record<string, unknown>) {
  const { method = "l1_unstructured" } = given as { method?: string };
  refuseOptionsOfOthers(PRUNE_OPTIONS, given, method, `method=${method}`);
  return { operation: "prune" as const, options: given };
}
