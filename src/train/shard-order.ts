/**
 * @file The order of a shard's rows in an epoch: blocks of neighbouring rows in a new order, and the rows of each
 * window of blocks shuffled together.
 *
 * A pure function of (seed, epoch, rank): an order that is made anew gives the same rows.
 */
import { permutation } from "./philox.ts";

/** Rows from `start` to before `end`. */
export interface RowRange {
  start: number;
  end: number;
}

export interface OrderOptions {
  /** Neighbouring rows that are read together. */
  blockRows: number;
  /** Blocks whose rows are shuffled together. */
  windowBlocks: number;
  /** 32 bits. */
  seed: number;
  /** false: the rows in their order. */
  shuffle: boolean;
}

/** Which permutation of an epoch and rank is meant. */
const BLOCKS = 0;
const WINDOWS = 1;

interface Window {
  /** Position of its first row in the order. */
  start: number;
  /** Of the rows it holds, in the order of its blocks. */
  blocks: RowRange[];
  rows: number;
}

export class ShardOrder {
  readonly #options: OrderOptions;
  readonly #key: readonly [number, number];
  readonly #rank: number;
  readonly #windows: Window[] = [];
  /** The shuffled rows of the window used last. */
  #held: { window: number; rows: Uint32Array } | undefined;

  constructor(options: OrderOptions, epoch: number, rank: number, shard: RowRange) {
    this.#options = options;
    this.#key = [options.seed, epoch];
    this.#rank = rank;
    const blocks: RowRange[] = [];
    for (let start = shard.start; start < shard.end; start += options.blockRows) {
      blocks.push({ start, end: Math.min(start + options.blockRows, shard.end) });
    }
    const order = options.shuffle
      ? [...permutation(blocks.length, this.#key, [BLOCKS, rank, 0])]
      : blocks.keys().toArray();
    for (let first = 0, start = 0; first < order.length; first += options.windowBlocks) {
      const held = order
        .slice(first, first + options.windowBlocks)
        .flatMap((index) => blocks[index] ?? []);
      const rows = held.reduce((sum, block) => sum + block.end - block.start, 0);
      this.#windows.push({ start, blocks: held, rows });
      start += rows;
    }
  }

  /**
   * The row at a position of the order.
   * @throws RangeError for a position behind the shard's rows
   */
  row(position: number): number {
    const index = this.#windowAt(position);
    if (this.#held?.window !== index) this.#held = { window: index, rows: this.#shuffled(index) };
    return this.#held.rows[position - (this.#windows[index]?.start ?? 0)] ?? 0;
  }

  /** The blocks of the windows that the positions lie in: what must be held to read their rows. */
  blocks({ start, end }: RowRange): RowRange[] {
    if (end <= start) return [];
    const [first, last] = [this.#windowAt(start), this.#windowAt(end - 1)];
    return this.#windows.slice(first, last + 1).flatMap(({ blocks }) => blocks);
  }

  #windowAt(position: number): number {
    // all windows but the one with the shard's short last block have as many rows, so the guess is off by at most one
    const perWindow = this.#options.blockRows * this.#options.windowBlocks;
    let index = Math.floor(position / perWindow);
    const fits = (window: Window | undefined): boolean =>
      window !== undefined && position < window.start + window.rows;
    while (index < this.#windows.length && !fits(this.#windows[index])) index++;
    if (index >= this.#windows.length || position < 0) {
      throw new RangeError(`train: position ${position} is not in the shard of rank ${this.#rank}`);
    }
    return index;
  }

  #shuffled(index: number): Uint32Array {
    const { blocks = [], rows = 0 } = this.#windows[index] ?? {};
    const inOrder = new Uint32Array(rows);
    let at = 0;
    for (const { start, end } of blocks)
      for (let row = start; row < end; row++) inOrder[at++] = row;
    if (!this.#options.shuffle) return inOrder;
    const order = permutation(rows, this.#key, [WINDOWS, this.#rank, index]);
    return order.map((place) => inOrder[place] ?? 0);
  }
}
