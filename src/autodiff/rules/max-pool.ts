/**
 * @file Gradients of MaxPool: each window's gradient goes to the first of its largest elements, as
 * ONNX Runtime's and torch's kernels choose it.
 */
import { intAttribute, makeInt, makeString } from "../../graph/attributes.ts";
import { elementCount } from "../../onnx/data-type.ts";
import { castLike, equal, mul, sub } from "../arithmetic.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";
import { poolWindows } from "./pooling.ts";
import { transposedConv } from "./transposed-conv.ts";
import { at, positions, spatialPads, type Windows } from "./window.ts";

/** Loses against every element, as padding must. */
const LOWEST = -3.4028234663852886e38;

/**
 * Up to here comparing tap by tap is faster than MaxPool with indices, which ONNX Runtime does not vectorize: 2×2
 * natively half the time, in wasm the same, 3×3 up to twice as much.
 */
const FEW_TAPS = 4;

const maxPool: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const windows = poolWindows(c, node);
  // WebGPU's MaxPool gives no indices, and those of storage_order 1 run along columns.
  const hasIndices = c.target !== "webgpu" && intAttribute(node, "storage_order", 0) === 0;
  const isSmall = c.target === "native" && elementCount(windows.kernel) <= FEW_TAPS;
  if (!hasIndices || isSmall) return [byTaps(c, g, x, y, windows)];
  return [byIndices(c, g, x, c.output(1), windows)];
};

/** Adds each window's gradient at the flat index that the forward pass gives. */
function byIndices(
  c: GradientContext,
  g: string,
  x: string,
  indices: string,
  windows: Windows,
): string {
  const { kernel, strides, dilations } = windows;
  const isApart = kernel.every((size, i) => at(dilations, i) * (size - 1) < at(strides, i));
  const flat = (value: string): string => c.reshape(value, [undefined]);
  const scattered = c.emit(
    "ScatterElements",
    [flat(c.zeros(x)), flat(indices), flat(g)],
    [makeInt("axis", 0), ...(isApart ? [] : [makeString("reduction", "add")])],
  );
  return c.reshapeLike(scattered, x);
}

/** Compares the elements that each tap reads with the maxima, and takes the first that is equal. */
function byTaps(c: GradientContext, g: string, x: string, y: string, windows: Windows): string {
  const { kernel, strides, dilations, output, before, after } = windows;
  const axes = kernel.map((_, i) => i + 2);
  const end = after.map((size) => Math.max(0, size));
  const isPadded = [...before, ...end].some((size) => size > 0);
  const source = isPadded
    ? c.emit("Pad", [x, c.int64(spatialPads(before, end)), c.float(LOWEST)])
    : x;
  // Masks of 0 and 1: what has not been taken yet, and who takes it now. As floats, which WebGPU can transpose.
  let open: string | undefined;
  const parts = positions(kernel).map((tap) => {
    const starts = tap.map((place, i) => place * at(dilations, i));
    const ends = starts.map((start, i) => start + (at(output, i) - 1) * at(strides, i) + 1);
    const bounds = [starts, ends, axes, strides].map((list) => c.int64(list));
    const isLargest = castLike(c, equal(c, c.emit("Slice", [source, ...bounds]), y), x);
    const isFirst = open ? mul(c, isLargest, open) : isLargest;
    open = sub(c, open ?? 1, isFirst);
    return c.reshape(mul(c, isFirst, g), [undefined, 1, ...output]);
  });
  const stacked = c.emit("Concat", parts, [makeInt("axis", 1)]);
  // Tap t's plane goes back to where tap t reads: a kernel of zeros and a one for each tap.
  const taps = elementCount(kernel);
  const places = Float32Array.from({ length: taps * taps }, (_, i) =>
    i % (taps + 1) === 0 ? 1 : 0,
  );
  const spread = transposedConv(c, stacked, c.floats(places, [taps, 1, ...kernel]), 1, windows);
  return c.reshapeLike(spread, x);
}

export const MAX_POOL: RuleTable = { MaxPool: maxPool };
