/**
 * @file Gradients of Conv and ConvTranspose, 1-D to 3-D, grouped, strided, dilated.
 *
 * The two ops are each other's transpose: the gradient of one's input is the other one with the same
 * weights, and both weights' gradients are the same correlation (convolution-weights.ts).
 */
import { intAttribute, makeInt, makeInts } from "../../graph/attributes.ts";
import type { GradientContext, GradientRule, MaybeValue, RuleTable } from "../rule.ts";
import { weightGradient } from "./convolution-weights.ts";
import { at, slidingWindows, spatialPads, transposedWindows, type Windows } from "./window.ts";

const conv: GradientRule = (c, node, [g = ""]) => {
  const [x = "", w = "", b] = node.inputs;
  const weights = c.sizes(w);
  const windows = slidingWindows(
    node,
    weights.slice(2),
    c.sizes(x, 2).slice(2),
    c.sizes(node.outputs[0] ?? "", 2).slice(2),
  );
  const group = intAttribute(node, "group", 1);
  return [
    c.needsGradient(x) ? spread(c, g, w, group, windows) : undefined,
    c.needsGradient(w)
      ? weightGradient(c, { input: x, output: g, weights, group, windows })
      : undefined,
    biasGradient(c, g, b),
  ];
};

const convTranspose: GradientRule = (c, node, [g = ""]) => {
  const [x = "", w = "", b] = node.inputs;
  const weights = c.sizes(w);
  const windows = transposedWindows(
    node,
    weights.slice(2),
    c.sizes(node.outputs[0] ?? "", 2).slice(2),
    c.sizes(x, 2).slice(2),
  );
  const group = intAttribute(node, "group", 1);
  return [
    c.needsGradient(x) ? gathered(c, g, w, group, windows) : undefined,
    c.needsGradient(w)
      ? weightGradient(c, { input: g, output: x, weights, group, windows })
      : undefined,
    biasGradient(c, g, b),
  ];
};

function biasGradient(c: GradientContext, g: string, bias: MaybeValue): MaybeValue {
  if (!bias || !c.needsGradient(bias)) return undefined;
  const axes = [...c.dims(g).keys()].filter((axis) => axis !== 1);
  return c.reduce("ReduceSum", g, axes, false);
}

/** Conv transposed: gives [N, C, …input] from a gradient [N, M, …output]. */
function spread(
  c: GradientContext,
  g: string,
  weights: string,
  group: number,
  windows: Windows,
): string {
  // Faster than ConvTranspose for kernels of one tap and of one channel, not for others.
  const [, inputsPerGroup] = c.sizes(weights);
  const isSmall = inputsPerGroup === 1 && group > 1;
  if (isSmall || windows.kernel.every((size) => size === 1)) {
    const flipped = flippedConv(c, g, weights, group, windows);
    if (flipped) return flipped;
  }
  const { kernel, strides, dilations, before, after } = windows;
  return c.emit(
    "ConvTranspose",
    [g, weights],
    [
      makeInts("kernel_shape", kernel),
      makeInts("strides", strides),
      makeInts("dilations", dilations),
      makeInts("pads", [...before, ...after.map((size) => Math.max(0, size))]),
      makeInts(
        "output_padding",
        after.map((size) => Math.max(0, -size)),
      ),
      makeInt("group", group),
    ],
  );
}

/**
 * At stride 1, Conv transposed is a Conv with the kernel turned around and the channels exchanged.
 * `undefined` where stride or padding rule that out.
 */
function flippedConv(
  c: GradientContext,
  g: string,
  weights: string,
  group: number,
  windows: Windows,
): MaybeValue {
  const { kernel, strides, dilations, before, after } = windows;
  const edges = [before, after].flatMap((sizes) =>
    sizes.map((size, i) => at(dilations, i) * (at(kernel, i) - 1) - size),
  );
  if (strides.some((stride) => stride !== 1) || edges.some((size) => size < 0)) return undefined;
  return c.emit(
    "Conv",
    [g, exchanged(c, reversed(c, weights, kernel), group)],
    [
      makeInts("kernel_shape", kernel),
      makeInts("dilations", dilations),
      makeInts("pads", edges),
      makeInt("group", group),
    ],
  );
}

/** Weights with every spatial axis back to front. */
function reversed(c: GradientContext, weights: string, kernel: readonly number[]): string {
  const axes = [...kernel.keys()].filter((axis) => at(kernel, axis) > 1).map((axis) => axis + 2);
  if (axes.length === 0) return weights;
  return c.emit("Slice", [
    weights,
    c.int64(axes.map(() => -1)),
    c.int64(axes.map(() => Number.MIN_SAFE_INTEGER)),
    c.int64(axes),
    c.int64(axes.map(() => -1)),
  ]);
}

/** Weights [M, C/group, …] as those of the opposite direction, [C, M/group, …]. */
function exchanged(c: GradientContext, weights: string, group: number): string {
  const [outputs = 0, inputsPerGroup = 0, ...kernel] = c.sizes(weights);
  const outputsPerGroup = outputs / group;
  if (inputsPerGroup === 1 && outputsPerGroup === 1) return weights;
  const rest = kernel.map((_, axis) => axis);
  if (group === 1) {
    return c.emit("Transpose", [weights], [makeInts("perm", [1, 0, ...rest.map((i) => i + 2)])]);
  }
  const byGroup = c.reshape(weights, [group, outputsPerGroup, inputsPerGroup, ...kernel]);
  const swapped = c.emit(
    "Transpose",
    [byGroup],
    [makeInts("perm", [0, 2, 1, ...rest.map((i) => i + 3)])],
  );
  return c.reshape(swapped, [group * inputsPerGroup, outputsPerGroup, ...kernel]);
}

/** Conv with the weights of a ConvTranspose: gives [N, C, …narrow] from a gradient [N, M, …wide]. */
function gathered(
  c: GradientContext,
  g: string,
  weights: string,
  group: number,
  windows: Windows,
): string {
  const { kernel, strides, dilations, before, after } = windows;
  // A tail that no window reads is cut off where it has room for a window more.
  const isLong = after.some((size, i) => -size >= at(strides, i));
  const cut = after.map((size) => Math.min(0, size));
  const zeros = before.map(() => 0);
  const input = isLong ? c.emit("Pad", [g, c.int64(spatialPads(zeros, cut))]) : g;
  return c.emit(
    "Conv",
    [input, weights],
    [
      makeInts("kernel_shape", kernel),
      makeInts("strides", strides),
      makeInts("dilations", dilations),
      makeInts("pads", [...before, ...after.map((size) => Math.max(0, size))]),
      makeInt("group", group),
    ],
  );
}

export const CONVOLUTION: RuleTable = { Conv: conv, ConvTranspose: convTranspose };
