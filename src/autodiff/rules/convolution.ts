/**
 * @file Gradients of Conv and ConvTranspose, 1-D to 3-D, grouped, strided, dilated.
 *
 * The two ops are each other's transpose: the gradient of one's input is the other one with the same
 * weights, and both weights' gradients are the same correlation (convolution-weights.ts).
 */
import { intAttribute, makeInt, makeInts } from "../../graph/attributes.ts";
import type { GradientContext, GradientRule, MaybeValue, RuleTable } from "../rule.ts";
import { weightGradient } from "./convolution-weights.ts";
import { transposedConv } from "./transposed-conv.ts";
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
    c.needsGradient(x) ? transposedConv(c, g, w, group, windows) : undefined,
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
