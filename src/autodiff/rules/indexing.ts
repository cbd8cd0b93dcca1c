/**
 * @file Gradients of ops that pick and place elements by index.
 *
 * Sums go through ScatterElements(add): ScatterND(add) with an index that occurs twice races between
 * threads in ONNX Runtime's CPU kernel.
 */
import { intAttribute, makeInt, makeString, stringAttribute } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import { DataType, elementCount } from "../../onnx/data-type.ts";
import type { Dimension, Node } from "../../onnx/model.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";

const ADD = makeString("reduction", "add");

/** The product of sizes, of which one may be unknown or a symbol: then it is unknown. */
const merged = (dims: readonly Dimension[]): Dimension =>
  dims.every((dim) => typeof dim === "number") ? elementCount(dims) : undefined;

const gather: GradientRule = (c, node, [g = ""]) => {
  const [x = "", indices = ""] = node.inputs;
  const dims = c.dims(x);
  const axis = frontAxis(intAttribute(node, "axis", 0), dims.length);
  const [picked] = c.numbers(indices) ?? [];
  const size = dims[axis];
  if (picked !== undefined && c.dims(indices).length === 0 && typeof size === "number") {
    const place = frontAxis(picked, size);
    const zeros = dims.map(() => 0);
    const pads = [...zeros.with(axis, place), ...zeros.with(axis, size - 1 - place)];
    const kept = c.emit("Unsqueeze", [g, c.int64([axis])]);
    return [size === 1 ? kept : c.emit("Pad", [kept, c.int64(pads)])];
  }
  return [addedRows(c, g, x, axis, indices)];
};

/** Adds slice `i` of `g` along `axis` to slice `indices[i]` of zeros like `x`. */
function addedRows(
  c: GradientContext,
  g: string,
  x: string,
  axis: number,
  indices: string,
): string {
  const dims = c.dims(x);
  const [before, after] = [dims.slice(0, axis), dims.slice(axis + 1)];
  let rows = g;
  if (c.dims(indices).length !== 1) {
    // The axes of the indices become one. Reshape's 0 copies an axis, whatever its size.
    const count = merged(c.dims(indices)) ?? -1;
    const sizes = c.sizes(x, axis + 1).slice(axis + 1);
    rows = c.emit("Reshape", [g, c.int64([...before.map(() => 0), Number(count), ...sizes])]);
  }
  const column = [...before.map(() => 1), undefined, ...after.map(() => 1)];
  const places = c.reshape(deviceIndices(c, indices, dims[axis]), column);
  return c.emit(
    "ScatterElements",
    [c.zeros(x), c.emit("Expand", [places, c.shapeOf(rows)]), rows],
    [makeInt("axis", axis), ADD],
  );
}

/**
 * Indices in the type that WebGPU's kernels can reshape, int32 in the place of int64: looked up in a table of
 * the numbers themselves, since a Cast from int64 runs on the CPU.
 */
function deviceIndices(c: GradientContext, indices: string, size: Dimension): string {
  const isExact = typeof size === "number" && size <= 2 ** 24;
  if (c.target !== "webgpu" || !isExact || c.elementType(indices) !== DataType.int64)
    return indices;
  const numbers = c.floats(
    Float32Array.from({ length: size }, (_, i) => i),
    [size],
  );
  const found = c.emit("Gather", [numbers, indices]);
  return c.emit("Cast", [found], [makeInt("to", DataType.int32)]);
}

const gatherElements: GradientRule = (c, node, [g = ""]) => {
  const [x = "", indices] = node.inputs;
  const axis = makeInt("axis", intAttribute(node, "axis", 0));
  return [c.emit("ScatterElements", [c.zeros(x), indices, g], [axis, ADD])];
};

const gatherND: GradientRule = (c, node, [g = ""]) => {
  const [x = "", indices = ""] = node.inputs;
  const dims = c.dims(x);
  const batch = intAttribute(node, "batch_dims", 0);
  const depth = c.sizes(indices, c.dims(indices).length - 1).at(-1) ?? 0;
  const indexed = c.sizes(x, batch).slice(batch, batch + depth);
  const inner = elementCount(c.sizes(x, batch).slice(batch + depth));
  const outer = batch === 0 ? 1 : merged(dims.slice(0, batch));
  const table = c.reshape(c.zeros(x), [outer, elementCount(indexed), inner]);
  const flat = flatIndices(c, indices, indexed);
  const count = merged(c.dims(indices).slice(batch, -1));
  const lead: Dimension[] = typeof outer === "number" ? [outer, undefined] : [undefined, count];
  const rows = c.reshape(g, [...lead, inner]);
  const places = c.emit("Expand", [c.reshape(flat, [...lead, 1]), c.shapeOf(rows)]);
  const sums = c.emit("ScatterElements", [table, places, rows], [makeInt("axis", 1), ADD]);
  return [c.reshapeLike(sums, x)];
};

/** Index vectors [..., depth] as flat indices [..., 1] into the axes of these sizes. */
function flatIndices(c: GradientContext, indices: string, sizes: readonly number[]): string {
  const strides = sizes.map((_, i) => elementCount(sizes.slice(i + 1)));
  // Negative indices count from the end; Mod takes the divisor's sign.
  const counted = c.emit("Mod", [indices, c.int64(sizes)]);
  const scaled = c.emit("Mul", [counted, c.int64(strides)]);
  return c.reduce("ReduceSum", scaled, [-1], true);
}

/** Only `none` and `add`: others would need to know which of the elements of an index won. */
function checkReduction(c: GradientContext, node: Node): "none" | "add" {
  const reduction = stringAttribute(node, "reduction", "none");
  if (reduction === "none" || reduction === "add") return reduction;
  throw c.refusal(`reduction ${reduction} has no gradient rule`);
}

const scatterElements: GradientRule = (c, node, [g = ""]) => {
  const [data, indices, updates = ""] = node.inputs;
  const reduction = checkReduction(c, node);
  const axis = [makeInt("axis", intAttribute(node, "axis", 0))];
  let ofData: string | undefined;
  if (c.needsGradient(data)) {
    ofData =
      reduction === "add" ? g : c.emit("ScatterElements", [g, indices, c.zeros(updates)], axis);
  }
  const ofUpdates = c.needsGradient(updates)
    ? c.emit("GatherElements", [g, indices], axis)
    : undefined;
  return [ofData, undefined, ofUpdates];
};

const scatterND: GradientRule = (c, node, [g = ""]) => {
  const [data, indices, updates = ""] = node.inputs;
  const reduction = checkReduction(c, node);
  let ofData: string | undefined;
  if (c.needsGradient(data)) {
    ofData = reduction === "add" ? g : c.emit("ScatterND", [g, indices, c.zeros(updates)]);
  }
  return [
    ofData,
    undefined,
    c.needsGradient(updates) ? c.emit("GatherND", [g, indices]) : undefined,
  ];
};

/** The sum the other way. */
const cumSum: GradientRule = (c, node, [g = ""]) => {
  const isReversed = intAttribute(node, "reverse", 0) !== 0;
  return [
    c.emit(
      "CumSum",
      [g, node.inputs[1]],
      [
        makeInt("exclusive", intAttribute(node, "exclusive", 0)),
        makeInt("reverse", isReversed ? 0 : 1),
      ],
    ),
  ];
};

/** Each value goes back to its index. */
const topK: GradientRule = (c, node, [g]) => {
  if (g === undefined) return [];
  const axis = makeInt("axis", intAttribute(node, "axis", -1));
  return [c.emit("ScatterElements", [c.zeros(node.inputs[0] ?? ""), c.output(1), g], [axis])];
};

/** Its own inverse. */
const reverseSequence: GradientRule = (c, node, [g = ""]) => [
  c.emit("ReverseSequence", [g, node.inputs[1]], node.attributes),
];

export const INDEXING: RuleTable = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  CumSum: cumSum,
  TopK: topK,
  ReverseSequence: reverseSequence,
};
