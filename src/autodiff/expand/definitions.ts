/** @file Normalizations that are plainer ops by definition, losses as ops, and Dropout where it does nothing. */
import {
  floatAttribute,
  intAttribute,
  intsAttribute,
  makeFloat,
  makeInt,
  makeInts,
  stringAttribute,
} from "../../graph/attributes.ts";
import { frontAxis, product } from "../../graph/infer-shape.ts";
import type { Dimension, Node } from "../../onnx/model.ts";
import { add, castLike, div, equal, mul, neg, sqrt, square, sub, where } from "../arithmetic.ts";
import type { Emitter, Expansion, ExpansionTable, MaybeValue } from "../rule.ts";

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
  if (!(groups > 0 && channels % groups === 0)) {
    throw c.refusal(`${channels} channels are not ${groups} equal groups`);
  }
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

/** x / ‖x‖ along an axis, by the 1-norm or the 2-norm. */
const lpNormalization: Expansion = (c, node) => {
  const [x = ""] = node.inputs;
  const opType = intAttribute(node, "p", 2) === 1 ? "ReduceL1" : "ReduceL2";
  return [div(c, x, c.reduce(opType, x, [intAttribute(node, "axis", -1)], true))];
};

/** ONNX's own ε. */
const MEAN_VARIANCE_EPSILON = 1e-9;

/** (x − mean) / (deviation + 1e-9) */
const meanVarianceNormalization: Expansion = (c, node) => {
  const [x = ""] = node.inputs;
  const axes = intsAttribute(node, "axes") ?? [0, 2, 3];
  const centred = sub(c, x, c.reduce("ReduceMean", x, axes, true));
  const deviation = sqrt(c, c.reduce("ReduceMean", square(c, centred), axes, true));
  return [div(c, centred, add(c, deviation, MEAN_VARIANCE_EPSILON))];
};

/**
 * x / (bias + alpha · mean(x² over `size` channels around))^beta. The window is half a channel more to the right
 * where `size` is even; beyond the first and last channel it holds zeros.
 */
const localResponseNormalization: Expansion = (c, node) => {
  const [x = ""] = node.inputs;
  const size = intAttribute(node, "size", 1);
  const before = Math.floor((size - 1) / 2);
  const [samples, channels, ...places] = c.dims(x);
  const rows = c.reshape(square(c, x), [samples, 1, channels, product(places)]);
  const mean = c.emit(
    "AveragePool",
    [rows],
    [
      makeInts("kernel_shape", [size, 1]),
      makeInts("pads", [before, 0, size - 1 - before, 0]),
      makeInt("count_include_pad", 1),
    ],
  );
  const scaled = mul(c, c.reshapeLike(mean, x), floatAttribute(node, "alpha", 1e-4));
  const base = add(c, scaled, floatAttribute(node, "bias", 1));
  return [mul(c, x, c.emit("Pow", [base, c.float(-floatAttribute(node, "beta", 0.75))]))];
};

/** LogSoftmax over the classes (axis 1), then the negative log-likelihood. */
const softmaxCrossEntropy: Expansion = (c, node) => {
  const [scores = ""] = node.inputs;
  const logP = c.emit("LogSoftmax", [scores], [makeInt("axis", 1)]);
  return [negativeLogLikelihoodOf(c, node, logP), logP];
};

const negativeLogLikelihood: Expansion = (c, node) => [
  negativeLogLikelihoodOf(c, node, node.inputs[0] ?? ""),
];

/**
 * −w[label] · logP[label], summed, divided by the sum of the weights, or as it is.
 * A label of `ignore_index` weighs nothing.
 */
function negativeLogLikelihoodOf(c: Emitter, node: Node, logP: string): string {
  const [, labels = "", classWeights] = node.inputs;
  const ignored = node.attributes.some(({ name }) => name === "ignore_index");
  const isIgnored = ignored
    ? equal(c, labels, castLike(c, c.int64([intAttribute(node, "ignore_index", -1)]), labels))
    : undefined;
  const zero = castLike(c, c.int64([0]), labels);
  const classes = isIgnored ? where(c, isIgnored, zero, labels) : labels;
  const index = c.emit("Unsqueeze", [classes, c.int64([1])]);
  const picked = c.emit("GatherElements", [logP, index], [makeInt("axis", 1)]);
  const likelihood = c.emit("Squeeze", [picked, c.int64([1])]);
  const weight = labelWeights(c, classWeights, classes, isIgnored, likelihood);
  const losses = neg(c, weight ? mul(c, likelihood, weight) : likelihood);
  const reduction = stringAttribute(node, "reduction", "mean");
  if (reduction === "none") return losses;
  const total = (value: string): string => c.emit("ReduceSum", [value], [makeInt("keepdims", 0)]);
  if (reduction === "sum") return total(losses);
  if (!weight) return c.emit("ReduceMean", [losses], [makeInt("keepdims", 0)]);
  return div(c, total(losses), total(weight));
}

function labelWeights(
  c: Emitter,
  classWeights: MaybeValue,
  classes: string,
  isIgnored: MaybeValue,
  like: string,
): string | undefined {
  const weight = classWeights ? c.emit("Gather", [classWeights, classes]) : undefined;
  if (!isIgnored) return weight;
  const counted = castLike(c, c.emit("Not", [isIgnored]), like);
  return weight ? mul(c, weight, counted) : counted;
}

/** In inference mode, and with a ratio of 0, the input as it is. */
const dropout: Expansion = (c, node) => {
  const [x = "", ratio, training] = node.inputs;
  const isOff = training === undefined || training === "" || c.numbers(training)?.[0] === 0;
  if (!isOff && c.numbers(ratio)?.[0] !== 0) return undefined;
  return node.outputs[1] ? undefined : [x];
};

export const DEFINITIONS: ExpansionTable = {
  Dropout: dropout,
  GroupNormalization: groupNormalization,
  LRN: localResponseNormalization,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  RMSNormalization: rmsNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};
