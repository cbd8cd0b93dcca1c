/**
 * @file The gradient of convolution weights: the correlation of a layer's input with its output's
 * gradient, in the formulation that fits the shapes.
 *
 * dW[m, c, tap] = Σ over images n and windows o of output[n, m, o] · input[n, c, o·stride + tap·dilation].
 */
import { makeInt, makeInts } from "../../graph/attributes.ts";
import { elementCount } from "../../onnx/data-type.ts";
import { mul } from "../arithmetic.ts";
import type { GradientContext } from "../rule.ts";
import { at, positions, spatialPads, type Windows } from "./window.ts";

export interface Correlation {
  /** [N, C, …input] */
  input: string;
  /** [N, M, …output] */
  output: string;
  /** [M, C/group, …kernel] */
  weights: readonly number[];
  group: number;
  windows: Windows;
}

/** @returns a value of the weights' shape [M, C/group, …kernel] */
export function weightGradient(c: GradientContext, layer: Correlation): string {
  const { weights, group } = layer;
  const [outputs, inputs = 0] = weights;
  if (inputs === 1 && group === outputs) return depthwise(c, layer);
  const isStrided = layer.windows.strides.some((stride) => stride > 1);
  // With channels last a strided slice still copies runs: worth it where these are long.
  if (isStrided && group === 1 && inputs >= LONG_RUN) return pixelRows(c, layer);
  return rows(c, layer);
}

/**
 * One matrix product for each position of the kernel's leading axes, each of all the columns of the kernel at
 * once: the input is copied only along the last axis, `kernel width` times.
 */
function rows(c: GradientContext, layer: Correlation): string {
  const { weights, group, windows } = layer;
  const [outputs = 0, inputs = 0, ...kernel] = weights;
  const last = kernel.length - 1;
  const width = at(kernel, last);
  const columns = inputs * width;
  const perGroup = outputs / group;

  const planes = groupedPlanes(c, padded(c, layer), group, inputs);
  const shifted = Array.from({ length: width }, (_, tap) =>
    taps(c, planes, windows, [last], [tap]),
  );
  const stacked = joined(c, shifted);
  const gradient = asMatrices(c, groupedPlanes(c, layer.output, group, perGroup), group, perGroup);

  const leading = kernel.slice(0, -1);
  const isNarrow = group === 1 && columns < FEW_COLUMNS;
  const products = positions(leading).map((position) => {
    const read = taps(c, stacked, windows, [...leading.keys()], position);
    const matrix = asMatrices(c, read, group, columns);
    return isNarrow
      ? c.reshape(timesTransposed(c, matrix, gradient), [1, 1, columns, outputs])
      : c.reshape(timesTransposed(c, gradient, matrix), [group, 1, perGroup, columns]);
  });
  const all = joined(c, products);
  // Both to [group, M/group, C/group, leading taps, columns].
  const [parted, perm] = isNarrow
    ? [c.reshape(all, [1, products.length, width, inputs, outputs]), [0, 4, 3, 1, 2]]
    : [c.reshape(all, [group, products.length, perGroup, width, inputs]), [0, 2, 4, 1, 3]];
  return c.reshape(c.emit("Transpose", [parted], [makeInts("perm", perm)]), weights);
}

/** Channels from which on slices of pixels are faster than those of planes, by measurement. */
const LONG_RUN = 16;

/** `rows` with channels last. */
function pixelRows(c: GradientContext, layer: Correlation): string {
  const { weights, windows } = layer;
  const [outputs = 0, inputs = 0, ...kernel] = weights;
  const last = kernel.length - 1;
  const width = at(kernel, last);
  const columns = inputs * width;

  const input = paddedLast(c, channelsLast(c, layer.input, inputs), windows);
  const shifted = Array.from({ length: width }, (_, tap) =>
    taps(c, input, windows, [last], [tap], 1),
  );
  const stacked = joined(c, shifted, kernel.length + 1);
  const gradient = c.reshape(channelsLast(c, layer.output, outputs), [undefined, outputs]);

  const leading = kernel.slice(0, -1);
  const products = positions(leading).map((position) => {
    const read = taps(c, stacked, windows, [...leading.keys()], position, 1);
    const matrix = c.reshape(read, [undefined, columns]);
    const product = c.emit("Gemm", [gradient, matrix], [makeInt("transA", 1)]);
    return c.reshape(product, [outputs, 1, columns]);
  });
  const parted = c.reshape(joined(c, products), [outputs, products.length, width, inputs]);
  const ordered = c.emit("Transpose", [parted], [makeInts("perm", [0, 3, 1, 2])]);
  return c.reshape(ordered, weights);
}

/** As the right operand, fewer columns than this leave lanes of ONNX Runtime's matrix kernels idle. */
const FEW_COLUMNS = 16;

/** a·bᵀ of matrices, or of one matrix per group. */
function timesTransposed(c: GradientContext, a: string, b: string): string {
  if (c.dims(a).length === 2) return c.emit("Gemm", [a, b], [makeInt("transB", 1)]);
  return c.emit("MatMul", [a, c.emit("Transpose", [b], [makeInts("perm", [0, 2, 1])])]);
}

/** [group, rows, …] → [group, rows, pixels], without the first axis where group is 1. */
function asMatrices(c: GradientContext, value: string, group: number, rows: number): string {
  return c.reshape(value, group === 1 ? [rows, undefined] : [group, rows, undefined]);
}

function joined(c: GradientContext, values: readonly string[], axis = 1): string {
  return values.length === 1
    ? (values[0] ?? "")
    : c.emit("Concat", values, [makeInt("axis", axis)]);
}

/**
 * One product and sum per tap: with a channel for each output a matrix product would have nothing to share.
 * With channels last the slices are long runs, and the sum over pixels is a product with a row of ones.
 */
function depthwise(c: GradientContext, layer: Correlation): string {
  const { weights, windows, output } = layer;
  const channels = weights[0] ?? 0;
  const input = paddedLast(c, channelsLast(c, layer.input, channels), windows);
  const gradient = channelsLast(c, output, channels);
  const axes = [...windows.kernel.keys()];
  const pixels = elementCount(windows.output);
  const ones = c.floats(Array<number>(pixels).fill(1), [1, pixels]);
  const sums = positions(windows.kernel).map((position) => {
    const read = taps(c, input, windows, axes, position, 1);
    const product = c.reshape(mul(c, read, gradient), [undefined, pixels, channels]);
    return c.emit("MatMul", [ones, product]);
  });
  const all = c.reduce("ReduceSum", joined(c, sums), [0], false);
  return c.reshape(c.emit("Transpose", [all], [makeInts("perm", [1, 0])]), weights);
}

/** [N, C, …] → [N, …, C]. */
function channelsLast(c: GradientContext, value: string, channels: number): string {
  const [batch, , ...spatial] = c.dims(value);
  const flat = c.reshape(value, [batch, channels, elementCount(c.sizes(value, 2).slice(2))]);
  const turned = c.emit("Transpose", [flat], [makeInts("perm", [0, 2, 1])]);
  return c.reshape(turned, [batch, ...spatial, channels]);
}

/** [N, …, C] with the padding that the windows read. */
function paddedLast(c: GradientContext, value: string, { before, after }: Windows): string {
  const pads = [0, ...before, 0, 0, ...after.map((size) => Math.max(0, size)), 0];
  return pads.some((size) => size > 0) ? c.emit("Pad", [value, c.int64(pads)]) : value;
}

/** The input with the padding that the windows read. */
function padded(c: GradientContext, { input, windows }: Correlation): string {
  const after = windows.after.map((size) => Math.max(0, size));
  if ([...windows.before, ...after].every((size) => size === 0)) return input;
  return c.emit("Pad", [input, c.int64(spatialPads(windows.before, after))]);
}

/**
 * What tap `position` of the kernel's axes `axes` reads, for all windows: a strided slice of `value`,
 * whose spatial axes are its last ones but `behind`.
 */
function taps(
  c: GradientContext,
  value: string,
  windows: Windows,
  axes: readonly number[],
  position: readonly number[],
  behind = 0,
): string {
  const { strides, dilations, output, kernel } = windows;
  const shape = c.dims(value);
  const first = shape.length - kernel.length - behind;
  const slices = axes.map((axis, i) => {
    const start = at(position, i) * at(dilations, axis);
    const step = at(strides, axis);
    return { axis: axis + first, start, end: start + (at(output, axis) - 1) * step + 1, step };
  });
  const cuts = slices.filter(
    ({ axis, start, end, step }) => start !== 0 || step !== 1 || end !== shape[axis],
  );
  if (cuts.length === 0) return value;
  return c.emit("Slice", [
    value,
    c.int64(cuts.map(({ start }) => start)),
    c.int64(cuts.map(({ end }) => end)),
    c.int64(cuts.map(({ axis }) => axis)),
    c.int64(cuts.map(({ step }) => step)),
  ]);
}

/** [N, group · channels, …] → [group, channels, N, …]. */
function groupedPlanes(c: GradientContext, value: string, group: number, channels: number): string {
  const [batch, , ...spatial] = c.dims(value);
  const axes = spatial.map((_, i) => i + 2);
  if (group === 1) {
    const swapped = c.emit("Transpose", [value], [makeInts("perm", [1, 0, ...axes])]);
    return c.reshape(swapped, [1, channels, batch, ...spatial]);
  }
  const parted = c.reshape(value, [batch, group, channels, ...spatial]);
  return c.emit(
    "Transpose",
    [parted],
    [makeInts("perm", [1, 2, 0, ...axes.map((axis) => axis + 1)])],
  );
}
