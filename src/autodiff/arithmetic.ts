/** @file Short forms of the element-wise ops that most rules are written in; a number is a constant. */
import { makeInt } from "../graph/attributes.ts";
import type { Emitter } from "./rule.ts";

type Operand = string | number;

const binary =
  (opType: string) =>
  (c: Emitter, a: Operand, b: Operand): string =>
    c.emit(opType, [operand(c, a), operand(c, b)]);

const unary =
  (opType: string) =>
  (c: Emitter, a: string): string =>
    c.emit(opType, [a]);

const operand = (c: Emitter, a: Operand): string => (typeof a === "number" ? c.float(a) : a);

export const add = binary("Add");
export const sub = binary("Sub");
export const mul = binary("Mul");
export const div = binary("Div");
export const equal = binary("Equal");
export const greater = binary("Greater");
export const greaterOrEqual = binary("GreaterOrEqual");
export const less = binary("Less");
export const lessOrEqual = binary("LessOrEqual");
export const and = binary("And");
export const neg = unary("Neg");
export const exp = unary("Exp");
export const log = unary("Log");
export const sqrt = unary("Sqrt");
export const tanh = unary("Tanh");
export const sigmoid = unary("Sigmoid");

export const square = (c: Emitter, a: string): string => mul(c, a, a);

/** `a` where the condition holds, else `b`. */
export const where = (c: Emitter, condition: string, a: Operand, b: Operand): string =>
  c.emit("Where", [condition, operand(c, a), operand(c, b)]);

/** `value` with the element type of `like`. */
export function castLike(c: Emitter, value: string, like: string): string {
  const to = c.elementType(like) ?? 1;
  return c.elementType(value) === to ? value : c.emit("Cast", [value], [makeInt("to", to)]);
}

/**
 * `value` broadcast to the shape of `like`. Sizes that it has already are asked for as 1, so that the shape is mostly a
 * constant: one that is computed is int64, of which WebGPU leaves parts to the CPU.
 */
export function expandLike(c: Emitter, value: string, like: string): string {
  const [from, to] = [c.shape(value), c.shape(like)];
  if (!from || !to || from.length !== to.length) {
    return c.emit("Expand", [value, c.shapeOf(like)]);
  }
  if (from.every((dim, i) => dim !== undefined && dim === to[i])) return value;
  const sizes = to.map((dim, i) => (typeof dim === "string" && dim === from[i] ? 1 : dim));
  const isConstant = sizes.every((size) => typeof size === "number");
  return c.emit("Expand", [value, isConstant ? c.int64(sizes) : c.shapeOf(like)]);
}
