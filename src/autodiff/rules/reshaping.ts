/** @file Gradients of ops that give the same elements another shape, order or number of copies. */
import {
  intAttribute,
  intsAttribute,
  makeInt,
  makeInts,
  stringAttribute,
} from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Dimension } from "../../onnx/model.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";

/** Back to the shape of the input. */
const reshaped: GradientRule = (c, node, [g = ""]) => [c.reshapeLike(g, node.inputs[0] ?? "")];

const transpose: GradientRule = (c, node, [g = ""]) => {
  const rank = c.dims(g).length;
  const perm = intsAttribute(node, "perm") ?? [...Array(rank).keys()].reverse();
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [c.emit("Transpose", [g], [makeInts("perm", inverse)])];
};

/** The sum over the copies. */
const expand: GradientRule = (c, node, [g = ""]) => [c.reduceTo(g, node.inputs[0] ?? "")];

/** [r₀·d₀, r₁·d₁, …] as [r₀, d₀, r₁, d₁, …], summed over the repeats. */
const tile: GradientRule = (c, node, [g = ""]) => {
  const [x = "", repeats] = node.inputs;
  const times = c.numbers(repeats);
  if (!times) throw c.refusal("its repeats are not known before the run");
  const dims = c.dims(x);
  const parted: Dimension[] = [];
  const summed: number[] = [];
  dims.forEach((dim, axis) => {
    const count = times[axis] ?? 1;
    if (count !== 1) {
      summed.push(parted.length);
      parted.push(count);
    }
    parted.push(dim);
  });
  return [c.reduce("ReduceSum", c.reshape(g, parted), summed, false)];
};

/** Blocks go back to channels: [N, C, H, b, W, b] → [N, b, b, C, H, W] (DCR) or [N, C, b, b, H, W] (CRD). */
const depthToSpace: GradientRule = (c, node, [g = ""]) => {
  const x = node.inputs[0] ?? "";
  const block = intAttribute(node, "blocksize", 1);
  const [, depth = 0, height, width] = c.sizes(x, 1);
  const split = [c.dims(x)[0], depth / block ** 2, height, block, width, block];
  const isBlockFirst = stringAttribute(node, "mode", "DCR") === "DCR";
  const turned = c.emit(
    "Transpose",
    [c.reshape(g, split)],
    [makeInts("perm", isBlockFirst ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])],
  );
  return [c.reshapeLike(turned, x)];
};

const spaceToDepth: GradientRule = (c, node, [g = ""]) => [
  c.emit(
    "DepthToSpace",
    [g],
    node.attributes.filter(({ name }) => name === "blocksize"),
  ),
];

const trilu: GradientRule = (c, node, [g = ""]) => [
  c.emit("Trilu", [g, node.inputs[1]], node.attributes),
];

/** The parts of the gradient that belong to the inputs that need one. */
const concat: GradientRule = (c, node, [g = ""]) => {
  const axis = frontAxis(intAttribute(node, "axis", 0), c.dims(g).length);
  const sizes = node.inputs.map((name) => c.dims(name)[axis]);
  const isWanted = node.inputs.map((name) => c.needsGradient(name));
  const places = sizes.map((_, i) => placeOf(sizes, i));
  if (places.some((place, i) => !place && isWanted[i])) {
    return splitAtRunTime(c, g, node.inputs, axis);
  }
  return places.map((place, i) => {
    if (!place || !isWanted[i]) return undefined;
    const [start, end] = place;
    return c.emit("Slice", [g, c.int64([start]), c.int64([end]), c.int64([axis])]);
  });
};

function splitAtRunTime(
  c: GradientContext,
  g: string,
  inputs: readonly string[],
  axis: number,
): string[] {
  const sizes = inputs.map((name) =>
    c.emit("Shape", [name], [makeInt("start", axis), makeInt("end", axis + 1)]),
  );
  const all = c.emit("Concat", sizes, [makeInt("axis", 0)]);
  return c.emitAll("Split", [g, all], inputs.length, [makeInt("axis", axis)]);
}

/** Start and end of part `i`, counted from the end (negative) where a size before it is not known. */
function placeOf(sizes: readonly Dimension[], i: number): [number, number] | undefined {
  const [before, after] = [total(sizes.slice(0, i)), total(sizes.slice(i + 1))];
  const size = total([sizes[i]]);
  const end = after === 0 ? Number.MAX_SAFE_INTEGER : after && -after;
  if (before !== undefined) {
    const known = size === undefined ? end : before + size;
    return known === undefined ? undefined : [before, known];
  }
  if (size === undefined || after === undefined || end === undefined) return undefined;
  return [-after - size, end];
}

function total(sizes: readonly Dimension[]): number | undefined {
  let sum = 0;
  for (const size of sizes) {
    if (typeof size !== "number") return undefined;
    sum += size;
  }
  return sum;
}

const split: GradientRule = (c, node, outputGradients) => {
  const axis = intAttribute(node, "axis", 0);
  const parts = outputGradients.map((name, i) => name ?? c.zeros(node.outputs[i] ?? ""));
  return [c.emit("Concat", parts, [makeInt("axis", axis)])];
};

export const RESHAPING: RuleTable = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  Concat: concat,
  Split: split,
};
