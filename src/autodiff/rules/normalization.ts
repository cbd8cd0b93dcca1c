/**
 * @file Gradients of normalizations y = x̂·scale + bias, x̂ = (x − mean)/deviation.
 *
 * Where the statistics are x's own: dx = (d − mean(d) − x̂·mean(d·x̂)) / deviation with d = g·scale.
 */
import { floatAttribute, intAttribute, makeInt } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Node } from "../../onnx/model.ts";
import { add, mul, neg, sqrt, square, sub } from "../arithmetic.ts";
import type { Emitter, GradientContext, GradientRule, RuleTable } from "../rule.ts";

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

const mean = (c: Emitter, x: string, axes: readonly number[]): string =>
  c.reduce("ReduceMean", x, axes, true);

const inverseDeviation = (c: Emitter, variance: string, epsilon: number): string =>
  c.emit("Reciprocal", [sqrt(c, add(c, variance, epsilon))]);

/** A vector of channels, as it broadcasts over [N, C, …]. */
function perChannel(c: Emitter, vector: string, rank: number): string {
  return c.reshape(vector, [1, c.dims(vector)[0], ...Array<number>(rank - 2).fill(1)]);
}

const layerNormalization: GradientRule = (c, node, [g = "", gMean, gDeviation]) => {
  if (gMean ?? gDeviation) throw c.refusal("Mean and InvStdDev are used, and have no gradient");
  const [x = "", scale = "", bias] = node.inputs;
  const rank = c.dims(x).length;
  const axes = range(frontAxis(intAttribute(node, "axis", -1), rank), rank);
  const inverse = c.output(2);
  const normalised = mul(c, sub(c, x, c.output(1)), inverse);
  const weighted = mul(c, g, normalised);
  const [size] = c.dims(scale);
  const ofX = (): string =>
    axes.length === 1 && typeof size === "number"
      ? ofRows(c, g, scale, size, { normalised, weighted, inverse })
      : ofOwnStatistics(c, mul(c, g, scale), normalised, inverse, axes);
  return [
    c.needsGradient(x) ? ofX() : undefined,
    c.needsGradient(scale) ? c.reduceTo(weighted, scale) : undefined,
    c.needsGradient(bias) ? c.reduceTo(g, bias) : undefined,
  ];
};

/** The gradient of x where `axes` are those that the statistics were taken over. */
function ofOwnStatistics(
  c: Emitter,
  d: string,
  normalised: string,
  inverse: string,
  axes: readonly number[],
): string {
  const projection = mul(c, normalised, mean(c, mul(c, d, normalised), axes));
  return mul(c, inverse, sub(c, sub(c, d, mean(c, d, axes)), projection));
}

/** The same where the axis is the last: both means over it are products with scale/n, which are faster. */
function ofRows(
  c: Emitter,
  g: string,
  scale: string,
  size: number,
  rows: { normalised: string; weighted: string; inverse: string },
): string {
  const column = c.reshape(mul(c, scale, 1 / size), [size, 1]);
  const meanOf = (values: string): string => c.emit("MatMul", [values, column]);
  const projection = mul(c, rows.normalised, meanOf(rows.weighted));
  return mul(c, rows.inverse, sub(c, mul(c, g, scale), add(c, projection, meanOf(g))));
}

/** Statistics per sample and channel, which are recomputed: the forward op does not give them. */
const instanceNormalization: GradientRule = (c, node, [g = ""]) => {
  const [x = "", scale = "", bias] = node.inputs;
  const rank = c.dims(x).length;
  const axes = range(2, rank);
  const centred = sub(c, x, mean(c, x, axes));
  const inverse = inverseDeviation(c, mean(c, square(c, centred), axes), epsilonOf(node));
  const normalised = mul(c, centred, inverse);
  const overSamples = [0, ...axes];
  const weighted = mul(c, g, perChannel(c, scale, rank));
  return [
    c.needsGradient(x) ? ofOwnStatistics(c, weighted, normalised, inverse, axes) : undefined,
    c.needsGradient(scale)
      ? c.reduce("ReduceSum", mul(c, g, normalised), overSamples, false)
      : undefined,
    c.needsGradient(bias) ? c.reduce("ReduceSum", g, overSamples, false) : undefined,
  ];
};

const epsilonOf = (node: Node): number => floatAttribute(node, "epsilon", 1e-5);

/**
 * With `training_mode` still set, mean and variance are the batch's (see batch-statistics.ts), and the
 * gradient of x takes that into account; else they are constants or computed elsewhere.
 */
const batchNormalization: GradientRule = (c, node, [g = ""]) => {
  const [x = "", scale = "", bias = "", batchMean = "", variance = ""] = node.inputs;
  const rank = c.dims(x).length;
  const axes = [0, ...range(2, rank)];
  const inverse = inverseDeviation(c, variance, epsilonOf(node));
  const isTraining = intAttribute(node, "training_mode", 0) !== 0;
  const sums = channelSums(c, node, g, inverse, axes);
  const factor = mul(c, scale, inverse);
  const isOwn = isTraining && c.needsGradient(x);
  return [
    isOwn
      ? trainingGradient(c, node, g, sums, factor, axes)
      : frozenGradient(c, x, g, factor, rank),
    c.needsGradient(scale) ? sums.scale() : undefined,
    c.needsGradient(bias) ? sums.bias() : undefined,
    !isTraining && c.needsGradient(batchMean) ? neg(c, mul(c, sums.bias(), factor)) : undefined,
    !isTraining && c.needsGradient(variance)
      ? mul(c, mul(c, sums.scale(), mul(c, factor, inverse)), -0.5)
      : undefined,
  ];
};

const frozenGradient = (
  c: GradientContext,
  x: string,
  g: string,
  factor: string,
  rank: number,
): string | undefined => (c.needsGradient(x) ? mul(c, g, perChannel(c, factor, rank)) : undefined);

interface ChannelSums {
  /** Σ g·x̂, the gradient of scale. */
  scale: () => string;
  /** Σ g, the gradient of bias. */
  bias: () => string;
  normalised: () => string;
}

/** Each is emitted once, when it is first asked for. */
function channelSums(
  c: GradientContext,
  node: Node,
  g: string,
  inverse: string,
  axes: readonly number[],
): ChannelSums {
  const [x = "", , , batchMean = ""] = node.inputs;
  const rank = c.dims(x).length;
  const normalised = once(() =>
    mul(c, sub(c, x, perChannel(c, batchMean, rank)), perChannel(c, inverse, rank)),
  );
  return {
    normalised,
    scale: once(() => c.reduce("ReduceSum", mul(c, g, normalised()), axes, false)),
    bias: once(() => c.reduce("ReduceSum", g, axes, false)),
  };
}

/** dx = scale/deviation · (g − Σg/n − x̂·Σ(g·x̂)/n), n the elements of a channel. */
function trainingGradient(
  c: GradientContext,
  node: Node,
  g: string,
  sums: ChannelSums,
  factor: string,
  axes: readonly number[],
): string {
  const { ofGradient, ofProjection } = channelMeans(c, node, g, sums, axes);
  const projection = mul(c, sums.normalised(), ofProjection);
  const spread = sub(c, sub(c, g, ofGradient), projection);
  return mul(c, perChannel(c, factor, axes.length + 1), spread);
}

/** Σg/n and Σ(g·x̂)/n, to be broadcast over the channels. */
function channelMeans(
  c: GradientContext,
  node: Node,
  g: string,
  sums: ChannelSums,
  axes: readonly number[],
): { ofGradient: string; ofProjection: string } {
  const [x = "", scale = ""] = node.inputs;
  const dims = c.dims(x);
  const sizes = axes.map((axis) => dims[axis]);
  const isKnown = sizes.every((size) => typeof size === "number");
  if (!isKnown && c.target === "webgpu") {
    // A count comes as int64, whose Cast runs on the CPU; the device would wait for it.
    const mean = (value: string) => c.reduce("ReduceMean", value, axes, true);
    return { ofGradient: mean(g), ofProjection: mean(mul(c, g, sums.normalised())) };
  }
  const inverseCount = isKnown
    ? 1 / sizes.reduce((a, b) => a * b, 1)
    : c.emit("Div", [
        c.emit("Cast", [c.emit("Size", [scale])], castAttribute(c, x)),
        c.emit("Cast", [c.emit("Size", [x])], castAttribute(c, x)),
      ]);
  const perElement = (sum: string) => perChannel(c, mul(c, sum, inverseCount), dims.length);
  return { ofGradient: perElement(sums.bias()), ofProjection: perElement(sums.scale()) };
}

const castAttribute = (c: Emitter, like: string) => [makeInt("to", c.elementType(like) ?? 1)];

function once(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}

export const NORMALIZATION: RuleTable = {
  LayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
  BatchNormalization: batchNormalization,
};
