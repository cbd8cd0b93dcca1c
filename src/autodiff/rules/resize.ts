/**
 * @file Gradients of Resize: interpolation is linear in its input and separate along each axis, so the
 * gradient is a product with the transposed matrix of interpolation weights, axis by axis.
 */
import type { Node } from "../../onnx/model.ts";
import { elementCount } from "../../onnx/data-type.ts";
import { interpolationWeights, type Interpolation } from "../interpolation.ts";
import {
  floatAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Emitter, GradientContext, GradientRule, RuleTable } from "../rule.ts";

const resize: GradientRule = (c, node, [g = ""]) => {
  const method = interpolation(c, node);
  let result = g;
  for (const { axis, from, to, scale } of resizedAxes(c, node)) {
    const weights = interpolationWeights(method, from, to, scale);
    result = isRepetition(weights, from, to / from)
      ? summedRuns(c, result, axis, from, to / from)
      : timesTransposed(c, result, axis, weights, from);
  }
  return [result];
};

function interpolation(c: Emitter, node: Node): Interpolation {
  const mode = stringAttribute(node, "mode", "nearest");
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  if (coordinates === "tf_crop_and_resize")
    throw c.refusal(`mode ${coordinates} has no gradient rule`);
  if (intAttribute(node, "antialias", 0) !== 0) throw c.refusal("antialias has no gradient rule");
  if (mode !== "nearest" && mode !== "linear" && mode !== "cubic") {
    throw c.refusal(`mode ${mode} has no gradient rule`);
  }
  return {
    mode,
    coordinates,
    rounding: stringAttribute(node, "nearest_mode", "round_prefer_floor"),
    cubicCoefficient: floatAttribute(node, "cubic_coeff_a", -0.75),
    excludesOutside: intAttribute(node, "exclude_outside", 0) !== 0,
  };
}

interface ResizedAxis {
  axis: number;
  from: number;
  to: number;
  scale: number;
}

function resizedAxes(c: GradientContext, node: Node): ResizedAxis[] {
  const [x = "", , scales, sizes] = node.inputs;
  const [from, to] = [c.dims(x), c.dims(node.outputs[0] ?? "")];
  const listed = scales ? c.numbers(scales) : [];
  if (!listed || (listed.length === 0 && !sizes)) {
    throw c.refusal("its scales are not known before the run");
  }
  const given = intsAttribute(node, "axes")?.map((axis) => frontAxis(axis, from.length));
  const axes = given ?? [...from.keys()];
  return axes.flatMap((axis, i) => {
    const [input, output] = [from[axis], to[axis]];
    if (listed[i] === 1 || (input !== undefined && input === output && listed.length === 0))
      return [];
    if (typeof input !== "number" || typeof output !== "number") {
      throw c.refusal(`the size along axis ${axis} is not known`);
    }
    return [{ axis, from: input, to: output, scale: listed[i] ?? Math.fround(output / input) }];
  });
}

/** True where every input element is copied to `times` neighbours. */
function isRepetition(weights: Float32Array, from: number, times: number): boolean {
  if (!Number.isInteger(times)) return false;
  return weights.every(
    (weight, i) => weight === (i % from === Math.floor(i / from / times) ? 1 : 0),
  );
}

/** [… , from · times, …] → [… , from, …]. */
function summedRuns(
  c: GradientContext,
  value: string,
  axis: number,
  from: number,
  times: number,
): string {
  const runs = c.reshape(value, c.dims(value).toSpliced(axis, 1, from, times));
  return c.reduce("ReduceSum", runs, [axis + 1], false);
}

/** Multiplies the axis by the transpose of `weights` [to, from]. */
function timesTransposed(
  c: GradientContext,
  value: string,
  axis: number,
  weights: Float32Array,
  from: number,
): string {
  const dims = c.dims(value);
  const to = weights.length / from;
  if (axis === dims.length - 1) return c.emit("MatMul", [value, c.floats(weights, [to, from])]);
  const rest = c.sizes(value, axis + 1).slice(axis + 1);
  const transposed = Float32Array.from(
    { length: weights.length },
    (_, i) => weights[(i % to) * from + Math.floor(i / to)] ?? 0,
  );
  const columns = c.reshape(value, [undefined, to, elementCount(rest)]);
  const product = c.emit("MatMul", [c.floats(transposed, [from, to]), columns]);
  return c.reshape(product, dims.with(axis, from));
}

export const RESIZE: RuleTable = { Resize: resize };
