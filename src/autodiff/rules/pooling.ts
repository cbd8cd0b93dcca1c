/** @file Gradients of AveragePool, LpPool and the pools over whole channels. */
import { intAttribute, intsAttribute, makeInt, stringAttribute } from "../../graph/attributes.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { div, equal, expandLike, mul, where } from "../arithmetic.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";
import { transposedConv } from "./transposed-conv.ts";
import { at, positions, slidingWindows, type Windows } from "./window.ts";

/** The windows of a pool; the spatial sizes must be known. */
export function poolWindows(c: GradientContext, node: Node): Windows {
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const kernel = intsAttribute(node, "kernel_shape") ?? [];
  return slidingWindows(node, kernel, c.sizes(x, 2).slice(2), c.sizes(y, 2).slice(2));
}

const averagePool: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const windows = poolWindows(c, node);
  const counts = dividers(windows, node);
  const [first = 1] = counts;
  const isEven = counts.every((count) => count === first);
  const inverse = counts.map((count) => 1 / count);
  const each = isEven
    ? mul(c, g, 1 / first)
    : mul(c, g, c.floats(inverse, [1, 1, ...windows.output]));
  return [spreadOverWindows(c, each, x, windows)];
};

/** By how much each window's sum is divided. */
function dividers(windows: Windows, node: Node): number[] {
  const { kernel, strides, dilations, input, before } = windows;
  const isPaddingCounted = intAttribute(node, "count_include_pad", 0) !== 0;
  const isSame = stringAttribute(node, "auto_pad", "NOTSET").startsWith("SAME");
  const pads = intsAttribute(node, "pads") ?? [];
  return positions(windows.output).map((position) =>
    elementCount(
      position.map((window, i) => {
        // What ceil_mode adds beyond the padding that is asked for never counts.
        const end = at(input, i) + (isSame ? Infinity : at(pads, i + kernel.length));
        const start = window * at(strides, i) - at(before, i);
        const taps = positions([at(kernel, i)]).map(([tap = 0]) => start + tap * at(dilations, i));
        const isCounted = (place: number): boolean =>
          isPaddingCounted ? place < end : place >= 0 && place < at(input, i);
        return taps.filter(isCounted).length;
      }),
    ),
  );
}

/** Gives each input element the sum over the windows that read it. `g`: [N, C, …output]. */
function spreadOverWindows(c: GradientContext, g: string, x: string, windows: Windows): string {
  const { kernel, strides, dilations, output, before, after } = windows;
  const isTiling = kernel.every(
    (size, i) =>
      size === at(strides, i) && at(dilations, i) === 1 && at(before, i) === 0 && at(after, i) <= 0,
  );
  const [batch, channels] = c.dims(x);
  if (isTiling) {
    const apart = c.reshape(g, [batch, channels, ...output.flatMap((size) => [size, 1])]);
    const copies = c.int64([1, 1, ...kernel.flatMap((size) => [1, size])]);
    const tiles = c.reshape(c.emit("Expand", [apart, copies]), [
      batch,
      channels,
      ...kernel.map((size, i) => size * at(output, i)),
    ]);
    if (after.every((size) => size === 0)) return tiles;
    const missing = after.map((size) => -size);
    return c.emit("Pad", [tiles, c.int64([...Array(kernel.length + 4).fill(0), ...missing])]);
  }
  const ones = c.floats(Array<number>(elementCount(kernel)).fill(1), [1, 1, ...kernel]);
  const spread = transposedConv(c, c.reshape(g, [undefined, 1, ...output]), ones, 1, windows);
  return c.reshapeLike(spread, x);
}

/** y = (Σ|x|^p)^(1/p): dx = g · sign(x) · (|x|/y)^(p−1), and 0 where y is. */
const lpPool: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const p = intAttribute(node, "p", 2);
  const isZero = equal(c, y, 0);
  /** value^(p − 1) */
  const power = (value: string): string =>
    p === 2 ? value : c.emit("Pow", [value, c.float(p - 1)]);
  const each = p === 1 ? g : div(c, g, power(where(c, isZero, 1, y)));
  const sums = spreadOverWindows(c, where(c, isZero, 0, each), x, poolWindows(c, node));
  if (p === 2) return [mul(c, sums, x)];
  const sign = c.emit("Sign", [x]);
  return [mul(c, sums, p === 1 ? sign : mul(c, sign, power(c.emit("Abs", [x]))))];
};

const globalAveragePool: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const count = elementCount(c.sizes(x, 2).slice(2));
  return [expandLike(c, mul(c, g, 1 / count), x)];
};

/** The gradient goes to the first of equal maxima. */
const globalMaxPool: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const rows = c.reshape(x, [undefined, elementCount(c.sizes(x, 2).slice(2))]);
  const first = c.emit("ArgMax", [rows], [makeInt("axis", 1), makeInt("keepdims", 1)]);
  const scattered = c.emit(
    "ScatterElements",
    [c.zeros(rows), first, c.reshape(g, [undefined, 1])],
    [makeInt("axis", 1)],
  );
  return [c.reshapeLike(scattered, x)];
};

export const POOLING: RuleTable = {
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
};
