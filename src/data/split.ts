/**
 * @file A dataset in two: rows to train on and rows to measure on, drawn by a seed.
 *
 * Stratified by place: the rows are cut into as many strata of equal size (± 1) as there are rows to measure on, and
 * each gives one row, drawn by the seed. So a file that is sorted by label is split evenly, which row goes where is
 * known without a list, and both parts read ranges of rows as ranges.
 */
import type { DatasetDescription } from "./dataset.ts";
import { rowBytes } from "./dataset.ts";
import { checkedField, type RowSource } from "./rows.ts";

export interface RowSplit {
  train: RowSource;
  validation: RowSource;
}

/** Rows of the whole that one read may fetch to give some of them. */
const READ_BYTES = 1 << 20;

/**
 * @param fraction of the rows that the validation part gets, rounded, at least one row
 * @throws RangeError when a part would be empty
 */
export function splitRows(source: RowSource, fraction: number, seed: number): RowSplit {
  const { rows } = source.description;
  const picked = Math.max(1, Math.round(rows * fraction));
  if (!(fraction > 0 && fraction < 1) || picked >= rows) {
    throw new RangeError(`data: ${fraction} of ${rows} rows leaves a part of the split empty`);
  }
  const strata = new Strata(rows, picked, seed);
  return {
    validation: new PartRows(source, picked, (index) => strata.picked(index)),
    train: new PartRows(source, rows - picked, (index) => strata.left(index)),
  };
}

class Strata {
  readonly #rows: number;
  readonly #count: number;
  readonly #seed: number;

  constructor(rows: number, count: number, seed: number) {
    this.#rows = rows;
    this.#count = count;
    this.#seed = seed;
  }

  /** The first row of a stratum. */
  #start(stratum: number): number {
    return Math.floor((stratum * this.#rows) / this.#count);
  }

  /** The row that a stratum gives. */
  picked(stratum: number): number {
    const start = this.#start(stratum);
    const size = this.#start(stratum + 1) - start;
    return start + Math.floor((mixed(this.#seed, stratum) / 2 ** 32) * size);
  }

  /** The `index`th of the rows that no stratum gives. */
  left(index: number): number {
    // Before a stratum lie as many of them as rows, less one for each stratum.
    let stratum = Math.floor((index * this.#count) / (this.#rows - this.#count));
    stratum = Math.min(Math.max(stratum, 0), this.#count - 1);
    while (stratum > 0 && this.#start(stratum) - stratum > index) stratum--;
    while (stratum < this.#count - 1 && this.#start(stratum + 1) - (stratum + 1) <= index)
      stratum++;
    const row = index + stratum;
    return row < this.picked(stratum) ? row : row + 1;
  }
}

/** 32 well-mixed bits of a seed and a number below 2^32 (MurmurHash3's finalizer, Appleby 2011, twice). */
function mixed(seed: number, index: number): number {
  return finalized(finalized(seed >>> 0) ^ (index >>> 0));
}

function finalized(value: number): number {
  let h = (value + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Some rows of a source, in the source's order. */
class PartRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #source: RowSource;
  readonly #rowAt: (index: number) => number;

  constructor(source: RowSource, rows: number, rowAt: (index: number) => number) {
    this.description = { ...source.description, rows };
    this.#source = source;
    this.#rowAt = rowAt;
  }

  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const size = rowBytes(checkedField(this.description, name, start, end));
    const out = new Uint8Array((end - start) * size);
    const most = Math.max(1, Math.floor(READ_BYTES / size));
    for (let index = start; index < end;) {
      const first = this.#rowAt(index);
      let last = index + 1;
      while (last < end && this.#rowAt(last) - first < most) last++;
      const bytes = await this.#source.read(name, first, this.#rowAt(last - 1) + 1);
      for (; index < last; index++) {
        const from = (this.#rowAt(index) - first) * size;
        out.set(bytes.subarray(from, from + size), (index - start) * size);
      }
    }
    return out;
  }
}
