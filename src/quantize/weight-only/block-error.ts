/** @file The error of packed blocks, from enough of them to tell. */
import type { Arena } from "../../kernels/arena.ts";
import type { BlockBits } from "./options.ts";

/** About so many weights are compared; of a larger tensor, columns at even distances. */
const SAMPLED_WEIGHTS = 1 << 14;
/** Of the largest, only some block rows are looked at: a fourth of that many weights tells to 0.1 dB. */
const LARGE_WEIGHTS = 1 << 20;
const BLOCK_ROWS_APART = 4;

/** One block row of packed columns. */
export interface PackedRow {
  /** float32 [rows, columns] */
  x: number;
  rows: number;
  columns: number;
  /** This block's codes of column 0; the next column's are `codeStride` bytes on. */
  codes: number;
  codeStride: number;
  /** This block's scale of column 0; the next column's is `scaleStride` floats on. */
  scales: number;
  scaleStride: number;
  /** Of column 0, this block's at `bit`; absent: the middle code. */
  zeroPoint: { pointer: number; stride: number; bit: number } | undefined;
}

/** Sums Σx² and Σ(x − x̂)² over the columns that it looks at. */
export class BlockError {
  signal = 0;
  error = 0;
  readonly #bits: BlockBits;
  readonly #every: number;
  readonly #rowsApart: number;

  /** @param weights how many there are in all */
  constructor(bits: BlockBits, weights: number) {
    this.#bits = bits;
    this.#rowsApart = weights > LARGE_WEIGHTS ? BLOCK_ROWS_APART : 1;
    this.#every = Math.max(1, Math.round(weights / SAMPLED_WEIGHTS));
  }

  /** Compares elements at even distances with what `decode` makes of their codes. */
  addElements(x: Float32Array, decode: (index: number) => number): void {
    // an odd step, so that all places of a block are looked at
    for (let i = 0; i < x.length; i += this.#every | 1) {
      const value = x[i] ?? 0;
      const difference = value - decode(i);
      this.signal += value * value;
      this.error += difference * difference;
    }
  }

  /** Whether it wants to see a block row. */
  wants(blockRow: number): boolean {
    return blockRow % this.#rowsApart === 0;
  }

  /** Compares columns of one block row at even distances. */
  addPacked(arena: Arena, row: PackedRow): void {
    const bits = this.#bits;
    const mask = (1 << bits) - 1;
    const perByte = 8 / bits;
    // views of all the memory: one for each of thousands of block rows would be garbage
    const { bytes, floats } = arena;
    const x = row.x / 4;
    const scales = row.scales / 4;
    for (let c = 0; c < row.columns; c += this.#every) {
      const scale = floats[scales + c * row.scaleStride] ?? 0;
      let zero = 1 << (bits - 1);
      if (row.zeroPoint) {
        const { pointer, stride, bit } = row.zeroPoint;
        zero = ((bytes[pointer + c * stride + (bit >> 3)] ?? 0) >> (bit & 7)) & mask;
      }
      const codes = row.codes + c * row.codeStride;
      for (let r = 0; r < row.rows; r++) {
        const byte = bytes[codes + Math.floor(r / perByte)] ?? 0;
        const code = (byte >> ((r % perByte) * bits)) & mask;
        const value = floats[x + r * row.columns + c] ?? 0;
        const difference = value - Math.fround((code - zero) * scale);
        this.signal += value * value;
        this.error += difference * difference;
      }
    }
  }
}
