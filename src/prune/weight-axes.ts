/** @file Which inputs of which ops are weights, and which of their axes are output and input features. */
import { intAttribute } from "../graph/attributes.ts";
import type { Node } from "../onnx/model.ts";

/** Axes of a weight as its node reads it. */
export interface WeightAxes {
  /** Output features: what torch calls `dim=0` of Linear and Conv. */
  output: number;
  /** The axis that the op sums over, which N:M groups lie along; `undefined`: the op sums over none. */
  input: number | undefined;
}

type AxesOf = (node: Node, rank: number) => WeightAxes;

interface WeightInputs {
  /** Domains that define the op in this sense. */
  domains: readonly string[];
  inputs: ReadonlyMap<number, AxesOf>;
  /** Pruned without being asked for by name. */
  byDefault: boolean;
}

const ONNX = [""];
const MICROSOFT = ["com.microsoft"];

// [O, I/groups, k…]: sparse runtimes take N:M along the input channels of each output and tap,
// as NVIDIA's ASP does (it views Conv weights as [k·k·O, I])
const conv: AxesOf = () => ({ output: 0, input: 1 });
// [I, O/groups, k…]
const convTranspose: AxesOf = () => ({ output: 1, input: 0 });
const matMulA: AxesOf = (_node, rank) => ({ output: rank - 2, input: rank - 1 });
const matMulB: AxesOf = (_node, rank) => ({ output: rank - 1, input: rank - 2 });
const transposedA: AxesOf = (node, rank) =>
  (intAttribute(node, "transA", 0) === 0 ? matMulA : matMulB)(node, rank);
const transposedB: AxesOf = (node, rank) =>
  (intAttribute(node, "transB", 0) === 0 ? matMulB : matMulA)(node, rank);
// W [directions, gates·H, I] and R [directions, gates·H, H]
const recurrent: AxesOf = () => ({ output: 1, input: 2 });
// [entries, features]: a lookup sums over nothing
const table: AxesOf = (_node, rank) => ({ output: rank - 1, input: undefined });

const of = (
  domains: readonly string[],
  axes: [number, AxesOf][],
  byDefault = true,
): WeightInputs => ({
  domains,
  inputs: new Map(axes),
  byDefault,
});

const WEIGHT_INPUTS: ReadonlyMap<string, WeightInputs> = new Map([
  ["Conv", of(ONNX, [[1, conv]])],
  ["ConvTranspose", of(ONNX, [[1, convTranspose]])],
  [
    "Gemm",
    of(ONNX, [
      [0, transposedA],
      [1, transposedB],
    ]),
  ],
  [
    "MatMul",
    of(ONNX, [
      [0, matMulA],
      [1, matMulB],
    ]),
  ],
  [
    "LSTM",
    of(ONNX, [
      [1, recurrent],
      [2, recurrent],
    ]),
  ],
  [
    "GRU",
    of(ONNX, [
      [1, recurrent],
      [2, recurrent],
    ]),
  ],
  [
    "RNN",
    of(ONNX, [
      [1, recurrent],
      [2, recurrent],
    ]),
  ],
  ["Gather", of(ONNX, [[0, table]], false)],
  ["Attention", of(MICROSOFT, [[1, matMulB]])],
  ["FusedConv", of(MICROSOFT, [[1, conv]])],
  [
    "FusedGemm",
    of(MICROSOFT, [
      [0, transposedA],
      [1, transposedB],
    ]),
  ],
  [
    "FusedMatMul",
    of(MICROSOFT, [
      [0, transposedA],
      [1, transposedB],
    ]),
  ],
]);

/** The op types whose weights can be pruned. */
export const PRUNABLE_OP_TYPES: readonly string[] = [...WEIGHT_INPUTS.keys()];

/** Pruned when no `op_types` are given. */
export const DEFAULT_OP_TYPES: readonly string[] = PRUNABLE_OP_TYPES.filter(
  (opType) => WEIGHT_INPUTS.get(opType)?.byDefault,
);

/** The axes of the weight at an input; `undefined` where the op has no weight there. */
export function weightAxes(node: Node, input: number, rank: number): WeightAxes | undefined {
  const entry = WEIGHT_INPUTS.get(node.opType);
  if (!entry?.domains.includes(node.domain)) return undefined;
  return entry.inputs.get(input)?.(node, rank);
}
