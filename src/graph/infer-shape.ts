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

/** Between the factors of a product of symbols, as in `4·N·T`; no exporter's symbols have it. */
const TIMES = "·";

/** Several sizes multiplied: a number and symbols. */
interface Factors {
  size: number;
  symbols: string[];
}

function factors(dims: readonly Dimension[]): Factors | undefined {
  const result: Factors = { size: 1, symbols: [] };
  for (const dim of dims) {
    if (dim === undefined) return undefined;
    if (typeof dim === "number") result.size *= dim;
    else {
      for (const factor of dim.split(TIMES)) {
        if (dim !== factor && /^\d+$/.test(factor)) result.size *= Number(factor);
        else result.symbols.push(factor);
      }
    }
  }
  return result;
}

/** More are not followed: a graph can double their number with every node. */
const MAX_SYMBOLS = 8;

/** The symbols in order, so that equal products are equal strings. */
function multiplied({ size, symbols }: Factors): Dimension {
  if (symbols.length === 0 || size === 0) return size;
  if (symbols.length > MAX_SYMBOLS || !Number.isSafeInteger(size) || size < 0) return undefined;
  return [...(size === 1 ? [] : [String(size)]), ...symbols.toSorted()].join(TIMES);
}

/** The product; with symbols among the sizes it is a symbol too: `4·N·T`. */
export function product(dims: readonly Dimension[]): Dimension {
  const known = factors(dims);
  return known && multiplied(known);
}

/** The dimension that makes `[...known, result]` hold as many elements as `source`; symbols on both sides cancel. */
export function quotient(source: readonly Dimension[], known: readonly Dimension[]): Dimension {
  const left = factors(source);
  const right = factors(known);
  if (!left || !right) return undefined;
  for (const symbol of right.symbols) {
    const match = left.symbols.indexOf(symbol);
    if (match < 0) return undefined;
    left.symbols.splice(match, 1);
  }
  if (right.size === 0 || left.size % right.size !== 0) return undefined;
  return multiplied({ size: left.size / right.size, symbols: left.symbols });
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
