/** @file What a graph says about one of its inputs by what it does with it: sizes, rank, a table that it indexes. */
import { intAttribute, intsAttribute } from "../graph/attributes.ts";
import { resolveConstant } from "../graph/constants.ts";
import type { Scope, Use } from "../graph/scope.ts";
import type { Tensor } from "../onnx/model.ts";

export interface InputFacts {
  /** Known from a use, for inputs that declare no shape. */
  rank: number | undefined;
  /** Sizes that a weight demands, by axis; negative axes count from the end. */
  sizes: Map<number, number>;
  /** A convolution runs over the axes from 2 on (channels second), or from 1 on (channels last). */
  convolved: "channels_first" | "channels_last" | undefined;
  /** The smallest table that the input's values index: they must be in [0, rows). */
  rows: number | undefined;
}

/** Ops through which a value goes on with its axes unchanged. */
const SAME_AXES = new Set(
  (
    "Cast Identity Clip Relu Sub Add Mul Div Neg Abs Sqrt Pow " +
    "QuantizeLinear DequantizeLinear BatchNormalization Dropout CastLike"
  ).split(" "),
);
/** Ops through which integers stay what they are, only their axes change. */
const SAME_VALUES = new Set(
  (
    "Cast Identity Reshape Unsqueeze Squeeze Flatten Expand Transpose " +
    "Slice Split Concat Clip Max Min Where"
  ).split(" "),
);
/** A name is followed through at most so many nodes. */
const MAX_FOLLOWED = 200;

export function inputFacts(scope: Scope, input: string): InputFacts {
  const facts: InputFacts = {
    rank: undefined,
    sizes: new Map(),
    convolved: undefined,
    rows: undefined,
  };
  for (const { use, permutation } of followAxes(scope, input)) noteShape(facts, use, permutation);
  for (const use of followValues(scope, input)) noteTable(facts, use);
  return facts;
}

interface AxisUse {
  use: Use;
  /** The value's axis i is the input's axis `permutation[i]`; `undefined`: the same. */
  permutation: number[] | undefined;
}

function* followAxes(scope: Scope, input: string): Generator<AxisUse> {
  const queue = [{ scope, name: input, permutation: undefined as number[] | undefined }];
  const seen = new Set<string>();
  for (let at = queue.shift(); at && seen.size < MAX_FOLLOWED; at = queue.shift()) {
    for (const use of at.scope.uses(at.name)) {
      const { node } = use;
      yield { use, permutation: at.permutation };
      const output = node.outputs[0];
      if (!output || seen.has(output) || node.domain !== "") continue;
      seen.add(output);
      if (SAME_AXES.has(node.opType) && use.input === 0) {
        queue.push({ scope: use.scope, name: output, permutation: at.permutation });
      } else if (node.opType === "Transpose") {
        const before = at.permutation;
        const permutation = intsAttribute(node, "perm")?.map((axis) => before?.[axis] ?? axis);
        if (permutation) queue.push({ scope: use.scope, name: output, permutation });
      }
    }
  }
}

function* followValues(scope: Scope, input: string): Generator<Use> {
  const queue = [{ scope, name: input }];
  const seen = new Set<string>();
  for (let at = queue.shift(); at && seen.size < MAX_FOLLOWED; at = queue.shift()) {
    for (const use of at.scope.uses(at.name)) {
      yield use;
      const { node } = use;
      if (!SAME_VALUES.has(node.opType)) continue;
      for (const output of node.outputs) {
        if (!output || seen.has(output)) continue;
        seen.add(output);
        queue.push({ scope: use.scope, name: output });
      }
    }
  }
}

function noteShape(facts: InputFacts, use: Use, permutation: number[] | undefined): void {
  const { node, input, scope } = use;
  const axis = (index: number): number => permutation?.[index] ?? index;
  const constantAt = (index: number): Tensor | undefined => stored(scope, node.inputs[index]);
  const note = (index: number, size: number | undefined): void => {
    if (size !== undefined && size > 0) facts.sizes.set(axis(index), size);
  };
  switch (node.opType) {
    case "Conv":
    case "ConvTranspose": {
      const weight = constantAt(1);
      if (input !== 0 || !weight) return;
      facts.rank ??= weight.dims.length;
      facts.convolved ??= axis(1) === 1 ? "channels_first" : "channels_last";
      const group = node.opType === "Conv" ? intAttribute(node, "group", 1) : 1;
      return note(1, (weight.dims[node.opType === "Conv" ? 1 : 0] ?? 0) * group);
    }
    case "Gemm": {
      const weight = constantAt(1);
      if (input !== 0 || !weight) return;
      facts.rank ??= 2;
      if (intAttribute(node, "transA", 0) !== 0) return;
      return note(1, weight.dims[intAttribute(node, "transB", 0) === 0 ? 0 : 1]);
    }
    case "MatMul": {
      const weight = constantAt(1);
      if (input !== 0 || !weight || permutation) return;
      return note(-1, weight.dims.at(weight.dims.length > 1 ? -2 : -1));
    }
    case "LSTM":
    case "GRU":
    case "RNN": {
      if (input === 0) {
        facts.rank ??= 3;
        return note(2, constantAt(1)?.dims[2]);
      }
      if (input < 5) return;
      facts.rank ??= 3;
      note(0, constantAt(1)?.dims[0]);
      return note(2, constantAt(2)?.dims[2]);
    }
    default:
  }
}

function noteTable(facts: InputFacts, use: Use): void {
  const { node, input, scope } = use;
  const table = tableOf(use);
  if (table === undefined) return;
  const weight = stored(scope, node.inputs[table]);
  if (!weight) return;
  const axis = input === 1 && node.opType === "Gather" ? intAttribute(node, "axis", 0) : 0;
  const rows = weight.dims.at(axis);
  if (rows === undefined) return;
  facts.rows = Math.min(rows, facts.rows ?? rows);
}

/** The input of the node that holds the table which `use` indexes. */
function tableOf({ node, input }: Use): number | undefined {
  if (node.opType === "Gather" || node.opType === "GatherBlockQuantized") {
    return input === 1 ? 0 : undefined;
  }
  if (node.opType !== "EmbedLayerNormalization") return undefined;
  return input === 0 ? 2 : input === 1 ? 4 : undefined;
}

/** The constant behind a name, also behind its DequantizeLinear. */
function stored(scope: Scope, name: string | undefined): Tensor | undefined {
  if (!name) return undefined;
  const constant = resolveConstant(scope, name);
  if (constant) {
    const { tensor, permutation } = constant;
    return permutation
      ? { ...tensor, dims: permutation.map((axis) => tensor.dims[axis] ?? 1) }
      : tensor;
  }
  const producer = scope.producer(name);
  const quantized = producer?.opType === "DequantizeLinear" ? producer.inputs[0] : undefined;
  return quantized === undefined ? undefined : resolveConstant(scope, quantized)?.tensor;
}
