/** @file Gradients of matrix products: dA = g·Bᵀ, dB = Aᵀ·g. */
import {
  floatAttribute,
  intAttribute,
  makeFloat,
  makeInt,
  makeInts,
} from "../../graph/attributes.ts";
import type { Attribute, Dimension } from "../../onnx/model.ts";
import { mul } from "../arithmetic.ts";
import type { Emitter, GradientContext, GradientRule, MaybeValue, RuleTable } from "../rule.ts";

const flag = (name: string, value: boolean): Attribute[] => (value ? [makeInt(name, 1)] : []);

/** α·op(a)·op(b) of two matrices. */
function product(
  c: Emitter,
  a: string,
  b: string,
  transposed: { a?: boolean; b?: boolean; alpha?: number },
): string {
  const { alpha = 1 } = transposed;
  return c.emit(
    "Gemm",
    [a, b],
    [
      ...flag("transA", transposed.a ?? false),
      ...flag("transB", transposed.b ?? false),
      ...(alpha === 1 ? [] : [makeFloat("alpha", alpha)]),
    ],
  );
}

function transposeLast(c: Emitter, x: string): string {
  const rank = c.dims(x).length;
  const perm = [...Array(rank).keys()];
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return c.emit("Transpose", [x], [makeInts("perm", perm)]);
}

/** All but the last axis in one. */
function asMatrix(c: Emitter, x: string): string {
  const dims = c.dims(x);
  return dims.length === 2 ? x : c.reshape(x, [undefined, dims.at(-1)]);
}

const isKnown = (dim: Dimension): boolean => typeof dim === "number";

const matmul: GradientRule = (c, node, [g = ""]) => {
  const [a = "", b = ""] = node.inputs;
  const [dimsA, dimsB] = [c.dims(a), c.dims(b)];
  if (dimsA.length === 1 || dimsB.length === 1) return vectorProduct(c, a, b, g);
  if (dimsB.length === 2 && isKnown(dimsA.at(-1)) && dimsB.every(isKnown)) {
    return timesMatrix(c, a, b, g);
  }
  return [
    c.needsGradient(a) ? c.reduceTo(c.emit("MatMul", [g, transposeLast(c, b)]), a) : undefined,
    c.needsGradient(b) ? c.reduceTo(c.emit("MatMul", [transposeLast(c, a), g]), b) : undefined,
  ];
};

/** N-D × 2-D, a linear layer: one product of matrices each, however many batch axes there are. */
function timesMatrix(c: GradientContext, a: string, b: string, g: string): MaybeValue[] {
  const gradient = asMatrix(c, g);
  return [
    c.needsGradient(a) ? c.reshapeLike(product(c, gradient, b, { b: true }), a) : undefined,
    c.needsGradient(b) ? product(c, asMatrix(c, a), gradient, { a: true }) : undefined,
  ];
}

/** A vector on the left is a row, one on the right a column; the axis of size 1 is not in the result. */
function vectorProduct(c: GradientContext, a: string, b: string, g: string): MaybeValue[] {
  const isRow = c.dims(a).length === 1;
  const isColumn = c.dims(b).length === 1;
  const left = isRow ? c.emit("Unsqueeze", [a, c.int64([0])]) : a;
  const right = isColumn ? c.emit("Unsqueeze", [b, c.int64([1])]) : b;
  const axes = [...(isRow ? [-2] : []), ...(isColumn ? [-1] : [])];
  // Unsqueeze counts axes in its result's rank.
  const gradient = c.emit("Unsqueeze", [g, c.int64(axes)]);
  const squeeze = (x: string, axis: number): string => c.emit("Squeeze", [x, c.int64([axis])]);
  let [ofA, ofB]: MaybeValue[] = [undefined, undefined];
  if (c.needsGradient(a)) {
    const full = c.reduceTo(c.emit("MatMul", [gradient, transposeLast(c, right)]), left);
    ofA = isRow ? squeeze(full, 0) : full;
  }
  if (c.needsGradient(b)) {
    const full = c.reduceTo(c.emit("MatMul", [transposeLast(c, left), gradient]), right);
    ofB = isColumn ? squeeze(full, 1) : full;
  }
  return [ofA, ofB];
}

const gemm: GradientRule = (c, node, [g = ""]) => {
  const [a = "", b = "", bias] = node.inputs;
  const transA = intAttribute(node, "transA", 0) !== 0;
  const transB = intAttribute(node, "transB", 0) !== 0;
  const alpha = floatAttribute(node, "alpha", 1);
  const beta = floatAttribute(node, "beta", 1);
  let [ofA, ofB, ofBias]: MaybeValue[] = [undefined, undefined, undefined];
  if (c.needsGradient(a)) {
    ofA = transA
      ? product(c, b, g, { a: transB, b: true, alpha })
      : product(c, g, b, { b: !transB, alpha });
  }
  if (c.needsGradient(b)) {
    ofB = transB
      ? product(c, g, a, { a: true, b: transA, alpha })
      : product(c, a, g, { a: !transA, alpha });
  }
  if (c.needsGradient(bias)) {
    const sum = c.reduceTo(g, bias);
    ofBias = beta === 1 ? sum : mul(c, sum, beta);
  }
  return [ofA, ofB, ofBias];
};

export const LINEAR: RuleTable = { MatMul: matmul, Gemm: gemm };
