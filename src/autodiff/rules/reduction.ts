/** @file Gradients of reductions: the gradient is spread over the axes that were reduced. */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Node } from "../../onnx/model.ts";
import { add, castLike, div, equal, exp, expandLike, mul, sub, where } from "../arithmetic.ts";
import type { Emitter, GradientContext, GradientRule, RuleTable } from "../rule.ts";

/** g and y with the reduced axes as axes of size 1; gives a gradient that broadcasts to x. */
type Spread = (c: GradientContext, g: string, x: string, y: string, axes: number[]) => string;

const reduction =
  (spread: Spread): GradientRule =>
  (c, node, [g = ""]) => {
    const [x = ""] = node.inputs;
    const axes = reducedAxes(c, node);
    if (axes.length === 0 && intAttribute(node, "noop_with_empty_axes", 0) !== 0) return [g];
    // A scalar broadcasts as it is.
    const isKept = intAttribute(node, "keepdims", 1) !== 0 || axes.length === c.dims(x).length;
    const kept = (value: string): string =>
      isKept || axes.length === 0 ? value : c.emit("Unsqueeze", [value, c.int64(axes)]);
    return [expandLike(c, spread(c, kept(g), x, kept(node.outputs[0] ?? ""), axes), x)];
  };

/** From the front and ascending. */
function reducedAxes(c: Emitter, node: Node): number[] {
  const [x = "", axes] = node.inputs;
  const rank = c.dims(x).length;
  const listed = axes ? c.numbers(axes) : [];
  if (!listed) throw c.refusal("its axes are computed at run time");
  if (listed.length > 0)
    return listed.map((axis) => frontAxis(axis, rank)).toSorted((a, b) => a - b);
  return intAttribute(node, "noop_with_empty_axes", 0) !== 0 ? [] : [...Array(rank).keys()];
}

/** Elements of x per element of y, as a number where it is known. */
function reducedCount(c: Emitter, x: string, y: string, axes: readonly number[]): number | string {
  const dims = c.dims(x);
  const sizes = axes.map((axis) => dims[axis]);
  if (sizes.every((size) => typeof size === "number")) return sizes.reduce((a, b) => a * b, 1);
  // A count of int64 is cast on the CPU; a sum of ones stays on the device.
  if (c.target === "webgpu") {
    const ones = c.emit("Expand", [c.float(1), c.shapeOf(x)]);
    return c.reduce("ReduceSum", ones, [...axes], axes.length < dims.length);
  }
  const size = c.emit("Size", [x]);
  const isAll = axes.length === dims.length;
  return castLike(c, isAll ? size : c.emit("Div", [size, c.emit("Size", [y])]), x);
}

const sign = (c: Emitter, x: string): string => c.emit("Sign", [x]);

/** Equal extremes share the gradient (as torch.amax does). */
const extremum: Spread = (c, g, x, y, axes) => {
  const mask = castLike(c, equal(c, x, y), x);
  return mul(c, mask, div(c, g, c.reduce("ReduceSum", mask, axes, true)));
};

/** g·x/y, and 0 where the norm is 0. */
const l2: Spread = (c, g, x, y) => {
  const isZero = equal(c, y, 0);
  return mul(c, x, where(c, isZero, 0, div(c, g, where(c, isZero, 1, y))));
};

/** The product of the other elements, with no division by an element that is 0. */
const product: Spread = (c, g, x, _, axes) => {
  const isZero = equal(c, x, 0);
  const others = where(c, isZero, 1, x);
  const rest = c.emit("ReduceProd", [others, c.int64(axes)], [makeInt("keepdims", 1)]);
  const zeros = c.reduce("ReduceSum", castLike(c, isZero, x), axes, true);
  // Another element is 0 unless the zeros are none, or this one alone.
  const isCounted = equal(c, zeros, castLike(c, isZero, x));
  return mul(c, g, where(c, isCounted, div(c, rest, others), 0));
};

export const REDUCTION: RuleTable = {
  ReduceSum: reduction((_, g) => g),
  ReduceMean: reduction((c, g, x, y, axes) => {
    const count = reducedCount(c, x, y, axes);
    return typeof count === "number" ? mul(c, g, 1 / count) : div(c, g, count);
  }),
  ReduceMax: reduction(extremum),
  ReduceMin: reduction(extremum),
  ReduceL1: reduction((c, g, x) => mul(c, g, sign(c, x))),
  ReduceL2: reduction(l2),
  ReduceSumSquare: reduction((c, g, x) => mul(c, x, add(c, g, g))),
  ReduceLogSum: reduction((c, g, _, y) => div(c, g, exp(c, y))),
  ReduceLogSumExp: reduction((c, g, x, y) => mul(c, g, exp(c, sub(c, x, y)))),
  ReduceProd: reduction(product),
};
