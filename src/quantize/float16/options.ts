/** @file The options of the float16 pass, their defaults and their bounds. */
import { requireKnown } from "../../graph/selection.ts";
import type { Scope } from "../../graph/scope.ts";
import { DataType } from "../../onnx/data-type.ts";
import { DEFAULT_OP_BLOCK_LIST } from "./default-block-list.ts";
import { type HalfFormat, MAX_BFLOAT16 } from "./half-data.ts";
import type { BlockList } from "./node-precision.ts";
import { knownOpTypes } from "./signatures.ts";

/** Names and defaults are those of onnxruntime's `convert_float_to_float16`. */
export interface Float16Options {
  /** Default `float16`. */
  dtype?: "float16" | "bfloat16" | undefined;
  /**
   * Graph inputs and outputs that stay float32: all, none (default), or those of these names.
   * bfloat16 keeps all of them.
   */
  keep_io_types?: boolean | readonly string[] | undefined;
  /** Operators that stay float32, instead of the default list (`DEFAULT_OP_BLOCK_LIST`). */
  op_block_list?: readonly string[] | undefined;
  /** Nodes that stay float32, by name. */
  node_block_list?: readonly string[] | undefined;
  /** Smaller magnitudes become this one (default 5.96e-8, the smallest float16). */
  min_positive_val?: number | undefined;
  /** Larger finite magnitudes become this one (default 65504, the largest float16). */
  max_finite_val?: number | undefined;
  /** Stores weights in 16 bits even where only float32 nodes read them (default false). */
  force_fp16_initializers?: boolean | undefined;
}

export interface Float16Settings {
  format: HalfFormat;
  keepsType: (name: string) => boolean;
  /** Inputs and outputs were listed one by one, so an initializer that is also an input counts as named. */
  keepsByName: boolean;
  blocked: BlockList;
  forceInitializers: boolean;
}

const SMALLEST_FLOAT16 = 5.96e-8;
const LARGEST_FLOAT16 = 65504;

/**
 * @throws RangeError when a bound is outside what float16 holds
 * @throws UnknownNameError when a name in the options matches nothing in the model
 */
export function float16Settings(options: Float16Options, root: Scope): Float16Settings {
  const {
    dtype = "float16",
    keep_io_types: keep = false,
    min_positive_val: minPositive = SMALLEST_FLOAT16,
    max_finite_val: maxFinite = LARGEST_FLOAT16,
  } = options;
  if (dtype !== "float16" && dtype !== "bfloat16") {
    throw new RangeError(`float16: dtype is "${String(dtype)}", not float16 or bfloat16`);
  }
  if (!(minPositive >= SMALLEST_FLOAT16 && minPositive < maxFinite)) {
    throw new RangeError(
      `float16: min_positive_val is ${minPositive}, not within ${SMALLEST_FLOAT16} and max_finite_val`,
    );
  }
  if (!(maxFinite <= LARGEST_FLOAT16)) {
    throw new RangeError(`float16: max_finite_val is ${maxFinite}, above ${LARGEST_FLOAT16}`);
  }
  const { inputs, outputs } = root.graph;
  const names = new Set([...inputs, ...outputs].map((info) => info.name));
  const listed = typeof keep === "boolean" ? undefined : new Set(keep);
  requireKnown("input or output", listed && [...listed], names);
  const opTypes = options.op_block_list ?? DEFAULT_OP_BLOCK_LIST;
  const nodeNames = options.node_block_list ?? [];
  checkBlockLists(root, options.op_block_list ?? [], nodeNames);
  return {
    format:
      dtype === "float16"
        ? { dataType: DataType.float16, minPositive, maxFinite }
        : { dataType: DataType.bfloat16, minPositive: 0, maxFinite: MAX_BFLOAT16 },
    keepsType: (name) => (listed ? listed.has(name) : keep === true),
    keepsByName: listed !== undefined,
    blocked: { opTypes: new Set(opTypes), nodeNames: new Set(nodeNames) },
    forceInitializers: options.force_fp16_initializers ?? false,
  };
}

/** A list of operators may serve many models: one that exists somewhere is not a mistake. */
function checkBlockLists(
  root: Scope,
  opTypes: readonly string[],
  nodeNames: readonly string[],
): void {
  const haveOpTypes = new Set([...knownOpTypes(), ...DEFAULT_OP_BLOCK_LIST]);
  const haveNames = new Set<string>();
  for (const scope of root.walk()) {
    for (const node of scope.graph.nodes) {
      haveOpTypes.add(node.opType);
      haveNames.add(node.name);
    }
  }
  requireKnown("op type", opTypes, haveOpTypes);
  requireKnown("node", nodeNames, haveNames);
}
