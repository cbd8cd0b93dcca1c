/** @file The geometry of a sliding window: where the windows of Conv, ConvTranspose and the pools lie. */
import { intsAttribute, stringAttribute } from "../../graph/attributes.ts";
import type { Node } from "../../onnx/model.ts";

/**
 * Windows over a padded input, every list one entry a spatial axis. Window `o` reads the padded
 * positions `o·stride + tap·dilation`, of which `before` lie in front of the input.
 */
export interface Windows {
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** The input's size, without padding. */
  input: readonly number[];
  /** How many windows. */
  output: readonly number[];
  before: readonly number[];
  /** How far the last window reaches past the input's end; negative: so much of the input's tail is never read. */
  after: readonly number[];
}

/**
 * The windows of a Conv or a pool that made `output` from `input` (spatial sizes), whatever its auto_pad
 * and ceil_mode.
 */
export function slidingWindows(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Windows {
  const { strides, dilations } = steps(node, kernel.length);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  const pads = autoPad === "NOTSET" ? intsAttribute(node, "pads") : undefined;
  const reach = reaches(kernel, strides, dilations, output);
  const before = kernel.map((_, i) => {
    if (!autoPad.startsWith("SAME")) return pads?.[i] ?? 0;
    const total = Math.max(0, at(reach, i) - at(input, i));
    return autoPad === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  const after = reach.map((size, i) => size - at(input, i) - at(before, i));
  return { kernel, strides, dilations, input, output, before, after };
}

/**
 * The windows of the Conv that a ConvTranspose is the transpose of: from the ConvTranspose's output
 * (`wide`) to its input (`narrow`).
 */
export function transposedWindows(
  node: Node,
  kernel: readonly number[],
  wide: readonly number[],
  narrow: readonly number[],
): Windows {
  const { strides, dilations } = steps(node, kernel.length);
  const reach = reaches(kernel, strides, dilations, narrow);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  const isSame = autoPad.startsWith("SAME");
  const isComputed = isSame || intsAttribute(node, "output_shape") !== undefined;
  const pads = autoPad === "NOTSET" ? intsAttribute(node, "pads") : undefined;
  const extra = intsAttribute(node, "output_padding");
  const before = kernel.map((_, i) => {
    if (!isComputed) return pads?.[i] ?? 0;
    // As ONNX Runtime shares the padding out: its larger half in front, but for SAME_UPPER.
    const total = Math.max(0, at(reach, i) + (extra?.[i] ?? 0) - at(wide, i));
    return autoPad === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  const after = reach.map((size, i) => size - at(wide, i) - at(before, i));
  return { kernel, strides, dilations, input: wide, output: narrow, before, after };
}

/** Strides and dilations, 1 where the node says nothing. */
function steps(node: Node, rank: number): Pick<Windows, "strides" | "dilations"> {
  const ones = Array<number>(rank).fill(1);
  return {
    strides: intsAttribute(node, "strides") ?? ones,
    dilations: intsAttribute(node, "dilations") ?? ones,
  };
}

/** The padded positions that `output` windows span. */
function reaches(
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  output: readonly number[],
): number[] {
  return kernel.map(
    (taps, i) => (at(output, i) - 1) * at(strides, i) + at(dilations, i) * (taps - 1) + 1,
  );
}

/** Entry `axis` of one of the lists of `Windows`. */
export const at = (list: readonly number[], axis: number): number => list[axis] ?? 0;

/** Every position in a box of these sizes, the last axis fastest. */
export function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (found, size) =>
      found.flatMap((start) => Array.from({ length: size }, (_, i) => [...start, i])),
    [[]],
  );
}

/** A pads input for [N, C, spatial…]. */
export const spatialPads = (before: readonly number[], after: readonly number[]): number[] => [
  0,
  0,
  ...before,
  0,
  0,
  ...after,
];
