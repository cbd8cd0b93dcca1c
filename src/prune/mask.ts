/** @file What one weight loses, as a function over its elements that pass by in chunks. */
import type { Arena } from "../kernels/arena.ts";

/** Zeroes in place what the mask takes among the next `count` float32 elements, at `pointer` in the arena. */
export type Zeroer = (pointer: number, count: number) => void;

export interface Mask {
  /** Every block handed to a zeroer ends at a multiple of this many elements, or at a section's end. */
  readonly multipleOf: number;
  /** Elements after which the counting for `multipleOf` starts anew; the last section's end is the tensor's. */
  readonly section: number;
  /** What has to be known before `begin`. */
  prepare?(arena: Arena): Promise<void>;
  /** A new pass over the elements in order. Scratch that it allocates is released by the caller. */
  begin(arena: Arena, blockElements: number): Zeroer;
}

/** A mask that does not mind where blocks end. */
export function elementMask(elements: number, begin: (arena: Arena) => Zeroer): Mask {
  return { multipleOf: 1, section: elements, begin };
}
