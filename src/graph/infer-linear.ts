/** @file Rules of matrix products, reductions, normalizations and recurrent layers. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { sameAsFirst } from "./infer-elementwise.ts";
import type { InferRule, NodeTypes, RuleTable, ValueType } from "./infer-rule.ts";
import { broadcast, frontAxis, product, type Shape, unknownDims } from "./infer-shape.ts";

/** NumPy's matmul: leading dimensions broadcast; a vector's added dimension is dropped again. */
export function matMulShape(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a?.length || !b?.length) return undefined;
  const batch = broadcast([a.slice(0, -2), b.slice(0, -2)]);
  const rows = a.length > 1 ? [a.at(-2)] : [];
  const columns = b.length > 1 ? [b.at(-1)] : [];
  return batch && [...batch, ...rows, ...columns];
}

/** MatMul of inputs `a` and `b`. */
export const matMul =
  (a: number, b: number, elementType: (n: NodeTypes) => number | undefined): InferRule =>
  (n) => [{ elementType: elementType(n), shape: matMulShape(n.shape(a), n.shape(b)) }];

export const gemm: InferRule = (n) => {
  const [a, b] = [n.shape(0), n.shape(1)];
  return [
    {
      elementType: n.type(0) ?? n.type(1),
      shape: [a?.[n.int("transA", 0) ? 1 : 0], b?.[n.int("transB", 0) ? 0 : 1]],
    },
  ];
};

/** Einsum without repeated or broadcast letters beyond one ellipsis. */
const einsum: InferRule = (n) => {
  const elementType = n.type(0);
  const equation = n.string("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const sizes = new Map<string, Dimension>();
  const ellipses: Shape[] = [];
  for (const [index, term] of left.split(",").entries()) {
    const shape = n.shape(index);
    if (!shape) return [{ elementType }];
    const [head = "", tail] = term.split("...");
    const spread = tail === undefined ? 0 : shape.length - head.length - tail.length;
    ellipses.push(shape.slice(head.length, head.length + spread));
    const rest = shape.toSpliced(head.length, spread);
    for (const [i, letter] of Array.from(head + (tail ?? "")).entries()) {
      const known = sizes.get(letter);
      sizes.set(letter, known === undefined || known === 1 ? rest[i] : known);
    }
  }
  const count = (letter: string): number => left.split(letter).length - 1;
  const implicit = left.includes("...") ? "..." : "";
  const output =
    right ??
    implicit +
      [...sizes.keys()]
        .filter((letter) => count(letter) === 1)
        .sort()
        .join("");
  const [head = "", tail] = output.split("...");
  const common = tail === undefined ? [] : broadcast(ellipses);
  if (!common) return [{ elementType }];
  const named = (letters: string): Shape => Array.from(letters).map((letter) => sizes.get(letter));
  return [{ elementType, shape: [...named(head), ...common, ...named(tail ?? "")] }];
};

/** Reduction over the axes of an attribute or of input 1; all axes when there are none. */
const reduce: InferRule = (n) => {
  const elementType = n.type(0);
  const shape = n.shape(0);
  const axes = n.list("axes", 1);
  const keeps = n.int("keepdims", 1) !== 0;
  if (!shape) return [{ elementType, shape: axes === null && !keeps ? [] : undefined }];
  if (axes === undefined)
    return [{ elementType, shape: keeps ? unknownDims(shape.length) : undefined }];
  if (!axes?.length && n.int("noop_with_empty_axes", 0)) return [n.input(0)];
  const gone = new Set(
    (axes?.length ? axes : shape.map((_, i) => i)).map((axis) => frontAxis(axis, shape.length)),
  );
  const result = keeps
    ? shape.map((dim, axis) => (gone.has(axis) ? 1 : dim))
    : shape.filter((_, axis) => !gone.has(axis));
  return [{ elementType, shape: result }];
};

const reduceProd: InferRule = (n) => {
  const [reduced] = reduce(n);
  const value = n.value(0);
  if (!reduced || !value || n.rank(0) !== 1) return [reduced ?? {}];
  return [{ ...reduced, value: [product(value)] }];
};

const arg: InferRule = (n) => {
  const shape = n.shape(0);
  const elementType = DataType.int64;
  if (!shape) return [{ elementType }];
  const axis = frontAxis(n.int("axis", 0), shape.length);
  return [
    { elementType, shape: n.int("keepdims", 1) ? shape.with(axis, 1) : shape.toSpliced(axis, 1) },
  ];
};

const topK: InferRule = (n) => {
  const shape = n.shape(0);
  const count = n.has("k") ? n.int("k", 0) : n.value(1)?.[0];
  const result = shape && shape.with(frontAxis(n.int("axis", -1), shape.length), count);
  return [
    { elementType: n.type(0), shape: result },
    { elementType: DataType.int64, shape: result },
  ];
};

/** Outputs past the first are per-channel vectors: running or batch statistics. */
const batchNormalization: InferRule = (n) => {
  const statistic = { elementType: n.type(3) ?? n.type(0), shape: n.shape(3) ?? [n.shape(0)?.[1]] };
  return [
    { elementType: n.type(0), shape: n.shape(0) },
    statistic,
    statistic,
    statistic,
    statistic,
  ];
};

/** Mean and inverse deviation keep the dimensions before the axis; the rest are 1. */
export const layerNormalization: InferRule = (n) => {
  const shape = n.shape(0);
  const axis = shape && frontAxis(n.int("axis", -1), shape.length);
  const statistic = {
    elementType: n.int("stash_type", 1),
    shape: shape?.map((dim, i) => (axis !== undefined && i < axis ? dim : 1)),
  };
  return [{ elementType: n.type(0), shape }, statistic, statistic];
};

/** X [sequence, batch, input] (layout 1: [batch, sequence, input]), W [directions, gates·hidden, input], R […, hidden]. */
const recurrent: InferRule = (n) => {
  const elementType = n.type(0);
  const [x, r] = [n.shape(0), n.shape(2)];
  const batchFirst = n.int("layout", 0) === 1;
  const batch = x?.[batchFirst ? 0 : 1];
  const sequence = x?.[batchFirst ? 1 : 0];
  const directions = n.string("direction", "forward") === "bidirectional" ? 2 : 1;
  const hidden = n.has("hidden_size") ? n.int("hidden_size", 0) : r?.[2];
  const state: ValueType = {
    elementType,
    shape: batchFirst ? [batch, directions, hidden] : [directions, batch, hidden],
  };
  const all = batchFirst
    ? [batch, sequence, directions, hidden]
    : [sequence, directions, batch, hidden];
  return [{ elementType, shape: all }, state, state];
};

/** Y [batch, heads, sequence, head] or [batch, sequence, heads·head], then the present key and value. */
const attention: InferRule = (n) => {
  const elementType = n.type(0);
  const [q, v] = [n.shape(0), n.shape(2)];
  const width = v?.at(-1);
  const queryHeads = n.int("q_num_heads", 0);
  const valueHeads = n.int("kv_num_heads", 0);
  const headSize = typeof width === "number" ? (width / valueHeads) * queryHeads : undefined;
  const shape = q && (q.length === 4 ? [...q.slice(0, 3), width] : [q[0], q[1], headSize]);
  const present = { elementType, shape: unknownDims(4) };
  return [{ elementType, shape }, present, { ...present, elementType: n.type(2) }, present];
};

const loss: InferRule = (n) => {
  const reduced = n.string("reduction", "mean") !== "none";
  const shape = reduced ? [] : n.shape(1);
  return [
    { elementType: n.type(0), shape },
    { elementType: n.type(0), shape: n.shape(0) },
  ];
};

const REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Sum", "SumSquare"];

export const LINEAR: RuleTable = {
  ...Object.fromEntries(REDUCTIONS.map((name) => [`Reduce${name}`, reduce])),
  ReduceProd: reduceProd,
  ArgMax: arg,
  ArgMin: arg,
  TopK: topK,
  MatMul: matMul(0, 1, (n) => n.type(0) ?? n.type(1)),
  MatMulInteger: matMul(0, 1, () => DataType.int32),
  QLinearMatMul: matMul(0, 3, (n) => n.type(7)),
  Gemm: gemm,
  Einsum: einsum,
  Det: (n) => [{ elementType: n.type(0), shape: n.shape(0)?.slice(0, -2) }],
  BatchNormalization: batchNormalization,
  InstanceNormalization: sameAsFirst,
  GroupNormalization: sameAsFirst,
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
  RMSNormalization: sameAsFirst,
  RotaryEmbedding: sameAsFirst,
  Attention: attention,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  NegativeLogLikelihoodLoss: loss,
  SoftmaxCrossEntropyLoss: loss,
};
