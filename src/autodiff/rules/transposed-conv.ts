/** @file Conv transposed, the adjoint of Conv: by ConvTranspose, or by a Conv with the kernel turned around. */
import { makeInt, makeInts } from "../../graph/attributes.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { GradientContext } from "../rule.ts";
import { interleaved } from "./slicing.ts";
import { at, spatialPads, type Windows } from "./window.ts";

/**
 * Gives each input element the sum of what the windows that read it weigh it with.
 *
 * @param g [N, M, …output]
 * @param weights [M, C/group, …kernel]
 * @returns [N, C, …input]
 */
export function transposedConv(
  c: GradientContext,
  g: string,
  weights: string,
  group: number,
  windows: Windows,
): string {
  const { kernel, strides, dilations, before, after } = windows;
  // WebGPU's ConvTranspose has no third dimension.
  if (c.target === "webgpu" && kernel.length === 3) {
    return flippedConv(c, g, weights, group, windows);
  }
  if (strides.every((stride) => stride === 1) && isFasterFlipped(c, weights, group, windows)) {
    return flippedConv(c, g, weights, group, windows);
  }
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
 * By measurement: ConvTranspose adds up columns one by one, which costs more than turning the kernel around where
 * matrices are small (one channel, one tap) or the picture is large.
 */
function isFasterFlipped(
  c: GradientContext,
  weights: string,
  group: number,
  { kernel, output }: Windows,
): boolean {
  const [, inputsPerGroup = 0] = c.sizes(weights);
  if (kernel.every((size) => size === 1) || (inputsPerGroup === 1 && group > 1)) return true;
  return (
    c.target === "native" && group === 1 && inputsPerGroup >= 64 && elementCount(output) >= 14 * 14
  );
}

/** A Conv with the kernel turned around and the channels exchanged; strides become zeros between the elements. */
function flippedConv(
  c: GradientContext,
  g: string,
  weights: string,
  group: number,
  windows: Windows,
): string {
  const { kernel, strides, dilations, output, before, after } = windows;
  const apart = strides.reduce(
    (value, stride, i) =>
      stride === 1 ? value : interleaved(c, value, i + 2, at(output, i), stride),
    g,
  );
  const room = kernel.map((size, i) => at(dilations, i) * (size - 1));
  const front = room.map((size, i) => size - at(before, i));
  // Zeros that follow the last element count as padding.
  const back = room.map((size, i) => size - at(after, i) - (at(strides, i) - 1));
  const cut = [front, back].map((sizes) => sizes.map((size) => Math.min(0, size)));
  const isCut = cut.some((sizes) => sizes.some((size) => size < 0));
  const [cutFront = [], cutBack = []] = cut;
  const input = isCut ? c.emit("Pad", [apart, c.int64(spatialPads(cutFront, cutBack))]) : apart;
  return c.emit(
    "Conv",
    [input, exchanged(c, reversed(c, weights, kernel), group)],
    [
      makeInts("kernel_shape", kernel),
      makeInts("dilations", dilations),
      makeInts(
        "pads",
        [...front, ...back].map((size) => Math.max(0, size)),
      ),
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
