/** @file Gradients of Slice and Pad: what was cut off gets zeros, what was repeated is summed. */
import { intsAttribute, makeInt, stringAttribute } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Node } from "../../onnx/model.ts";
import { add } from "../arithmetic.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";

/** A Slice along one axis: the first index read, how many, and how far apart. */
interface Cut {
  axis: number;
  first: number;
  count: number;
  step: number;
}

/** A Slice along an axis of which size or bounds are not known before the run. */
interface OpenCut {
  axis: number;
  /** Starts, ends and steps, one element each. */
  bounds: [string, string, string];
}

const slice: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  const dims = c.dims(x);
  const cuts = cutsOf(c, node);
  let result = g;
  const before = dims.map(() => 0);
  const after = dims.map(() => 0);
  for (const { axis, first, count, step } of cuts.filter((one) => "first" in one)) {
    const size = sizeAlong(c, x, axis);
    if (count === 0) return [c.zeros(x)];
    const [low, stride] = step > 0 ? [first, step] : [first + (count - 1) * step, -step];
    if (step < 0) result = reversed(c, result, axis);
    if (stride > 1) result = interleaved(c, result, axis, count, stride);
    before[axis] = low;
    after[axis] = size - low - count * stride;
  }
  result = padded(c, result, before, after);
  const [open, another] = cuts.filter((one) => "bounds" in one);
  if (another) throw c.refusal("sizes or bounds of more than one of its axes are not known");
  return [open ? placed(c, result, x, open) : result];
};

/** Puts each slice of `g` where the same Slice of the axis' numbers says that it came from. */
function placed(c: GradientContext, g: string, x: string, { axis, bounds }: OpenCut): string {
  const [start, end, step] = bounds;
  const range = [makeInt("start", axis), makeInt("end", axis + 1)];
  const size = c.emit("Squeeze", [c.emit("Shape", [x], range), c.int64([0])]);
  const numbers = c.emit("Range", [c.int64Scalar(0), size, c.int64Scalar(1)]);
  const picked = c.emit("Slice", [numbers, start, end, c.int64([0]), step]);
  const column = c.dims(x).map((_, i) => (i === axis ? undefined : 1));
  const places = c.emit("Expand", [c.reshape(picked, column), c.shapeOf(g)]);
  return c.emit("ScatterElements", [c.zeros(x), places, g], [makeInt("axis", axis)]);
}

/** The slices along each axis that is cut, with starts and ends resolved as ONNX does. */
function cutsOf(c: GradientContext, node: Node): (Cut | OpenCut)[] {
  const [x = "", starts = "", ends = "", axes, steps] = node.inputs;
  const along = axes ? c.numbers(axes) : [...Array(c.sizes(starts)[0] ?? 0).keys()];
  if (!along) throw c.refusal("its axes are not known before the run");
  const [from, to] = [c.numbers(starts), c.numbers(ends)];
  const apart = steps ? c.numbers(steps) : along.map(() => 1);
  const dims = c.dims(x);
  return along.flatMap((given, i): (Cut | OpenCut)[] => {
    const axis = frontAxis(given, dims.length);
    const [start, end, step] = [from?.[i], to?.[i], apart?.[i]];
    // All of an axis, be its size known or not.
    if (start === 0 && step === 1 && end !== undefined && end >= 2 ** 31 - 1) return [];
    const size = dims[axis];
    if (typeof size !== "number" || start === undefined || end === undefined || !step) {
      const element = (list: string): string =>
        along.length === 1 ? list : c.emit("Slice", [list, c.int64([i]), c.int64([i + 1])]);
      const stride = steps ? element(steps) : c.int64([1]);
      return [{ axis, bounds: [element(starts), element(ends), stride] }];
    }
    const wrapped = (index: number): number => (index < 0 ? index + size : index);
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (index: number): number => Math.min(Math.max(index, low), high);
    const first = step > 0 ? clamp(wrapped(start)) : Math.max(clamp(wrapped(start)), 0);
    const last = clamp(wrapped(end));
    const count = Math.max(0, Math.ceil((last - first) / step));
    return count === size && step === 1 ? [] : [{ axis, first, count, step }];
  });
}

function sizeAlong(c: GradientContext, value: string, axis: number): number {
  const size = c.dims(value)[axis];
  if (typeof size === "number") return size;
  throw c.refusal(`the size of "${value}" along axis ${axis} is not known`);
}

/** The axis back to front. */
function reversed(c: GradientContext, value: string, axis: number): string {
  return cut(c, value, axis, -1, Number.MIN_SAFE_INTEGER, -1);
}

function cut(
  c: GradientContext,
  value: string,
  axis: number,
  start: number,
  end: number,
  step = 1,
): string {
  return c.emit("Slice", [value, ...[[start], [end], [axis], [step]].map((list) => c.int64(list))]);
}

/** `stride − 1` zeros after each of the `count` elements along the axis. */
export function interleaved(
  c: GradientContext,
  value: string,
  axis: number,
  count: number,
  stride: number,
): string {
  const dims = c.dims(value);
  const apart = c.reshape(value, dims.toSpliced(axis + 1, 0, 1));
  const zeros = Array<number>(dims.length + 1).fill(0);
  const spread = padded(c, apart, zeros, zeros.with(axis + 1, stride - 1));
  return c.reshape(spread, dims.with(axis, count * stride));
}

/** Zeros before and after each axis; negative numbers cut off. */
function padded(
  c: GradientContext,
  value: string,
  before: readonly number[],
  after: readonly number[],
): string {
  const pads = [...before, ...after];
  return pads.every((size) => size === 0) ? value : c.emit("Pad", [value, c.int64(pads)]);
}

const pad: GradientRule = (c, node, [g = ""]) => {
  const [x = "", pads, constant, axes] = node.inputs;
  const mode = stringAttribute(node, "mode", "constant");
  const rank = c.dims(x).length;
  const sizes = c.numbers(pads) ?? intsAttribute(node, "pads");
  const along = axes ? c.numbers(axes) : [...Array(rank).keys()];
  if (!sizes || !along) throw c.refusal("its pads or axes are not known before the run");
  if (constant && c.needsGradient(constant)) {
    throw c.refusal("the value it pads with has no gradient rule");
  }
  const [before, after] = [Array<number>(rank).fill(0), Array<number>(rank).fill(0)];
  along.forEach((axis, i) => {
    before[frontAxis(axis, rank)] = sizes[i] ?? 0;
    after[frontAxis(axis, rank)] = sizes[i + along.length] ?? 0;
  });
  let result = g;
  if (mode !== "constant") {
    if (sizes.some((size) => size < 0)) throw c.refusal(`it has negative pads in mode ${mode}`);
    for (let axis = 0; axis < rank; axis++) {
      result = folded(c, result, axis, before[axis] ?? 0, after[axis] ?? 0, mode);
    }
    return [result];
  }
  const [cutBefore, cutAfter] = [before, after].map((list) => list.map((size) => 0 - size));
  return [padded(c, result, cutBefore ?? [], cutAfter ?? [])];
};

/** Adds the gradients of the padding along an axis to those of the elements that it repeats. */
function folded(
  c: GradientContext,
  value: string,
  axis: number,
  before: number,
  after: number,
  mode: string,
): string {
  if (before === 0 && after === 0) return value;
  const total = sizeAlong(c, value, axis);
  const size = total - before - after;
  if (
    mode === "reflect" ? before >= size || after >= size : mode === "wrap" && before + after > size
  ) {
    throw c.refusal(`it pads an axis of ${size} by ${before} and ${after} in mode ${mode}`);
  }
  let sum = cut(c, value, axis, before, before + size);
  const contribute = (part: string, count: number, at: number): void => {
    const zeros = c.dims(value).map(() => 0);
    const placed = padded(c, part, zeros.with(axis, at), zeros.with(axis, size - at - count));
    sum = add(c, sum, placed);
  };
  if (before > 0) {
    const part = cut(c, value, axis, 0, before);
    if (mode === "reflect") contribute(reversed(c, part, axis), before, 1);
    else if (mode === "edge") contribute(c.reduce("ReduceSum", part, [axis], true), 1, 0);
    else contribute(part, before, size - before);
  }
  if (after > 0) {
    const part = cut(c, value, axis, total - after, total);
    if (mode === "reflect") contribute(reversed(c, part, axis), after, size - 1 - after);
    else if (mode === "edge") contribute(c.reduce("ReduceSum", part, [axis], true), 1, size - 1);
    else contribute(part, after, 0);
  }
  return sum;
}

export const SLICING: RuleTable = { Slice: slice, Pad: pad };
