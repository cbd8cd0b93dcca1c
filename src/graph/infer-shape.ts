/** @file Arithmetic on shapes whose dimensions may be symbols or unknown. */
import type { Dimension } from "../onnx/model.ts";

export type Shape = Dimension[];

/** A shape of `rank` unknown dimensions. */
export function unknownDims(rank: number): Shape {
  return Array<Dimension>(rank).fill(undefined);
}

/**
 * An axis counted from the front.
 * @throws RangeError when the shape has no such axis
 */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (front < 0 || front >= rank) throw new RangeError(`graph: axis ${axis} of rank ${rank}`);
  return front;
}

/** NumPy's rule for one pair: 1 gives way; a known size above 1 decides; two different symbols are unknown. */
function broadcastDimension(a: Dimension, b: Dimension): Dimension {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === "number") return a;
  return typeof b === "number" ? b : undefined;
}

/** The broadcast shape, or `undefined` when a rank is unknown. */
export function broadcast(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  let result: Shape = [];
  for (const shape of shapes) {
    if (!shape) return undefined;
    const rank = Math.max(result.length, shape.length);
    const left = result;
    result = Array.from({ length: rank }, (_, axis) =>
      broadcastDimension(
        at(left, axis - rank + left.length),
        at(shape, axis - rank + shape.length),
      ),
    );
  }
  return result;
}

/** The dimension at an index; 1 before the front. */
function at(shape: Shape, index: number): Dimension {
  return index < 0 ? 1 : shape[index];
}

/** The product; a symbol times 1 is the symbol, other products of symbols are unknown. */
export function product(dims: readonly Dimension[]): Dimension {
  let size = 1;
  let symbol: string | undefined;
  for (const dim of dims) {
    if (dim === undefined) return undefined;
    if (typeof dim === "number") size *= dim;
    else if (symbol === undefined) symbol = dim;
    else return undefined;
  }
  if (symbol === undefined || size === 0) return size;
  return size === 1 ? symbol : undefined;
}

/** The dimension that makes `[...known, result]` hold as many elements as `source`; symbols on both sides cancel. */
export function quotient(source: readonly Dimension[], known: readonly Dimension[]): Dimension {
  const left = [...source];
  let divisor = 1;
  for (const dim of known) {
    if (typeof dim === "number") divisor *= dim;
    else {
      const match = dim === undefined ? -1 : left.indexOf(dim);
      if (match < 0) return undefined;
      left.splice(match, 1);
    }
  }
  const symbols = left.filter((dim) => typeof dim !== "number");
  const size = left.reduce<number>(
    (total, dim) => (typeof dim === "number" ? total * dim : total),
    1,
  );
  if (divisor === 0 || size % divisor !== 0) return undefined;
  if (symbols.length === 0) return size / divisor;
  return symbols.length === 1 && size === divisor ? symbols[0] : undefined;
}

/** `a + b`; a symbol plus 0 is the symbol. */
export function add(a: Dimension, b: Dimension): Dimension {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a === 0) return b;
  return b === 0 ? a : undefined;
}

/** `dim · factor`, rounded down; a symbol times 1 is the symbol. */
export function scaled(dim: Dimension, factor: number | undefined): Dimension {
  if (factor === undefined) return undefined;
  if (typeof dim === "number") return Math.floor(dim * factor);
  return factor === 1 ? dim : undefined;
}

/** `dim / divisor`, rounded down; a symbol divided by 1 is the symbol. */
export function divided(dim: Dimension, divisor: number | undefined): Dimension {
  if (divisor === undefined) return undefined;
  if (typeof dim === "number") return Math.floor(dim / divisor);
  return divisor === 1 ? dim : undefined;
}

/** The dimensions on which two shapes of one value agree; `undefined` when the ranks differ. */
export function agreeing(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b || a.length !== b.length) return undefined;
  return a.map((dim, axis) => (dim === b[axis] ? dim : undefined));
}

/** A dimension or a size from a list of contents: negative numbers are no sizes. */
export function asDimension(element: Dimension): Dimension {
  return typeof element === "number" && !(element >= 0) ? undefined : element;
}
