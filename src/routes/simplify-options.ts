/** @file Options of simplification. */
import { z } from "@hono/zod-openapi";
import { PASS_NAMES } from "../simplify/options.ts";
import { schemasOf, type OptionTable } from "./option-table.ts";
import { asJson, asList, flag, number, option } from "./option-text.ts";

const passes = (description: string, example: string) =>
  option(z.array(z.enum(PASS_NAMES)).max(100), { description, example: [example] }, asList, "list");

const SHAPE = z.array(z.number().int().min(1)).max(64);

export const SIMPLIFY_OPTIONS: OptionTable = {
  passes: { option: passes("Only these passes (default: all).", "fold_constants") },
  skip_passes: { option: passes("All passes but these.", "merge_initializers") },
  fold_constants_limit: {
    option: number(
      z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
      "Bytes by which a computed constant may outgrow what it replaces (default 0: no model grows by folding).",
      65_536,
    ),
  },
  fuse_batch_normalization: {
    option: flag(
      "Batch normalizations go into the weights before them, which rounds each weight once more (default true).",
    ),
  },
  input_shapes: {
    option: option(
      z.record(z.string().min(1).max(20_000), SHAPE),
      {
        description:
          "Sizes of inputs by name, as JSON: what follows from them is folded, and the result takes no others.",
        example: { x: [1, 3, 224, 224] },
      },
      asJson,
    ),
  },
};

const { names, json, query } = schemasOf(SIMPLIFY_OPTIONS);

export const SIMPLIFY_OPTION_NAMES = names;
export const SimplifyOptions = json.openapi("SimplifyOptions");
export const SimplifyQuery = query;

/** The options as the engine takes them. */
export function simplifyRequest(given: Record<string, unknown>) {
  return { operation: "simplify" as const, options: given };
}
