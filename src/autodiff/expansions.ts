/** @file Normalizations that are plainer ops by definition, and Dropout where it does nothing. */
import { floatAttribute, intAttribute, makeFloat } from "../graph/attributes.ts";
import { frontAxis } from "../graph/infer-shape.ts";
import type { Dimension } from "../onnx/model.ts";
import { add, mul, sqrt, square } from "./arithmetic.ts";
import type { Emitter, Expansion, ExpansionTable } from "./rule.ts";

/** x · scale / √(mean(x²) + ε), over the axes from `axis` on. */
const rmsNormalization: Expansion = (c, node) => {
  const [x = "", scale = ""] = node.inputs;
  const rank = c.dims(x).length;
  const axis = frontAxis(intAttribute(node, "axis", -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, i) => axis + i);
  const meanSquare = c.reduce("ReduceMean", square(c, x), axes, true);
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const inverse = c.emit("Reciprocal", [sqrt(c, add(c, meanSquare, epsilon))]);
  return [mul(c, mul(c, x, inverse), scale), inverse];
};

/** Each group of channels is an instance normalization of its own; then scale and bias per channel. */
const groupNormalization: Expansion = (c, node) => {
  const [x = "", scale = "", bias = ""] = node.inputs;
  const dims = c.dims(x);
  const groups = intAttribute(node, "num_groups", 1);
  const channels = c.sizes(x, 1)[1] ?? 0;
  const ones = c.floats(Array<number>(groups).fill(1), [groups]);
  const zeros = c.floats(Array<number>(groups).fill(0), [groups]);
  const grouped = c.reshape(x, groupedDims(dims, groups));
  const normalised = c.emit(
    "InstanceNormalization",
    [grouped, ones, zeros],
    [makeFloat("epsilon", floatAttribute(node, "epsilon", 1e-5))],
  );
  const broadcast = (vector: string): string =>
    perChannel(c, vector, channels, groups, dims.length);
  const scaled = mul(c, c.reshapeLike(normalised, x), broadcast(scale));
  return [add(c, scaled, broadcast(bias))];
};

/** [N, groups, channels per group · spatial sizes]; without those the last is left to Reshape. */
function groupedDims(dims: readonly Dimension[], groups: number): Dimension[] {
  const rest = dims.slice(1);
  if (!rest.every((dim) => typeof dim === "number")) return [dims[0], groups, undefined];
  return [dims[0], groups, rest.reduce((a, b) => a * b, 1) / groups];
}

/** Before opset 21 scale and bias are per group. */
function perChannel(
  c: Emitter,
  vector: string,
  channels: number,
  groups: number,
  rank: number,
): string {
  let values = vector;
  if (c.opset < 21) {
    const column = c.reshape(vector, [groups, 1]);
    values = c.emit("Expand", [column, c.int64([groups, channels / groups])]);
  }
  return c.reshape(values, [1, channels, ...Array<number>(rank - 2).fill(1)]);
}

/** In inference mode, and with a ratio of 0, the input as it is; the mask is not followed. */
const dropout: Expansion = (c, node) => {
  const [x = "", ratio, training] = node.inputs;
  const isOff = training === undefined || training === "" || c.numbers(training)?.[0] === 0;
  if (!isOff && c.numbers(ratio)?.[0] !== 0) return undefined;
  return node.outputs[1] ? undefined : [x];
};

export const NORMALIZATION_PARTS: ExpansionTable = {
  RMSNormalization: rmsNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  Dropout: dropout,
};
