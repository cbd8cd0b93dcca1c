/**
 * @file One rank's state: the flat vector, its part of the optimizer's state, masks, and all of it as a checkpoint.
 *
 * Free of the platform and of the mode: the modes (modes/*) declare what they keep from step to step, and so
 * `export` and `import` know it.
 */
import type { Bucket, Layout } from "./layout.ts";

/**
 * How a state vector lies over the ranks.
 * `shared`: it is the same for all, whole on each rank or in parts (ZeRO-1), so any rank's piece will do.
 * `local`: each rank has its own; in a changed world rank r goes on with that of rank r mod the old world size.
 * `feedback`: each rank has its own, and their sum counts (error feedback): rank r adds up those of the old
 * ranks that are r modulo the new world size.
 */
export type StateKind = "shared" | "local" | "feedback";

/** A piece of a checkpoint. */
export interface StateEntry {
  /** `vector`, `exp_avg`, `outer_momentum`, … */
  name: string;
  kind: StateKind;
  /** The rank that exported it. */
  rank: number;
  /** Which part of the named vector it is: elements from here on. */
  start: number;
  values: Float32Array;
}

/** Where a checkpoint comes from. */
export interface CheckpointOrigin {
  /** Finished steps. */
  step: number;
  /** Of the run that wrote it. */
  worldSize: number;
}

interface StateVector {
  name: string;
  kind: StateKind;
  pieces: { start: number; values: Float32Array }[];
}

/** Elements behind the gradients and buffers in `Replica.gradient`: the loss, and how many were right. */
export const METRICS = 2;

export interface ReplicaOptions {
  layout: Layout;
  rank: number;
  worldSize: number;
  /** The parameters and buffers at the very start of the training, even where a checkpoint is imported: masks come from it. Taken over, not copied. */
  vector: Float32Array;
}

export class Replica {
  readonly layout: Layout;
  readonly rank: number;
  readonly worldSize: number;
  /** Parameters, then buffers. */
  readonly vector: Float32Array;
  /** Weighted sums of this step's batches: gradients, the buffers' next values, loss, correct. */
  readonly gradient: Float32Array;
  /** Finished steps: also the number of the next one. */
  step = 0;
  /** 1 where a parameter is trained, 0 where it stays zero; absent where nothing is masked. Over the parameters. */
  readonly mask: Uint8Array | undefined;
  readonly #states: StateVector[] = [];

  /** @throws RangeError where the vector does not fit the layout or the rank the world */
  constructor({ layout, rank, worldSize, vector }: ReplicaOptions) {
    if (vector.length !== layout.length) {
      throw new RangeError(
        `train: the vector has ${vector.length} elements, the layout ${layout.length}`,
      );
    }
    if (!(rank >= 0 && rank < worldSize)) {
      throw new RangeError(`train: rank ${rank} is not in a world of ${worldSize}`);
    }
    this.layout = layout;
    this.rank = rank;
    this.worldSize = worldSize;
    this.vector = vector;
    this.gradient = new Float32Array(layout.length + METRICS);
    this.mask = zeroMask(layout, vector);
    this.#states.push({ name: "vector", kind: "shared", pieces: [{ start: 0, values: vector }] });
  }

  /**
   * Makes a state vector of zeros that checkpoints hold.
   * @param ranges the parts of it that this rank keeps
   * @returns one array per range
   */
  declare(name: string, kind: StateKind, ranges: readonly Bucket[]): Float32Array[] {
    if (this.#states.some((state) => state.name === name)) {
      throw new RangeError(`train: state "${name}" is declared twice`);
    }
    const pieces = ranges.map(({ start, end }) => ({
      start,
      values: new Float32Array(end - start),
    }));
    this.#states.push({ name, kind, pieces });
    return pieces.map(({ values }) => values);
  }

  /**
   * All state after the last finished step, as views: write or copy them before the next one.
   * @throws RangeError where a value is NaN or infinite, so that no checkpoint holds one
   */
  export(): StateEntry[] {
    return this.#states.flatMap(({ name, kind, pieces }) =>
      pieces
        .filter(({ values }) => values.length > 0)
        .map(({ start, values }) => {
          const bad = values.findIndex((value) => !Number.isFinite(value));
          if (bad >= 0) {
            throw new RangeError(
              `train: element ${start + bad} of ${name} is ${values[bad]} after step ${this.step}`,
            );
          }
          return { name, kind, rank: this.rank, start, values };
        }),
    );
  }

  /**
   * Takes over a checkpoint. `entries` may be one rank's export, if the world has not changed, or all ranks'
   * in any order, of which it takes what it needs: so they can stream.
   * @throws RangeError where part of the state is in none of them
   */
  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    { step, worldSize }: CheckpointOrigin,
  ): Promise<void> {
    const found = new Map(this.#states.map(({ name }) => [name, new Coverage()]));
    for (const { kind, pieces } of this.#states) {
      if (kind === "feedback") for (const { values } of pieces) values.fill(0);
    }
    for await (const entry of entries) {
      const state = this.#states.find(({ name }) => name === entry.name);
      if (!state || !this.#takes(state.kind, entry.rank, worldSize)) continue;
      for (const piece of state.pieces) {
        const taken = overlay(piece, entry, state.kind === "feedback");
        if (taken) found.get(state.name)?.add(taken);
      }
    }
    for (const { name, kind, pieces } of this.#states) {
      if (kind === "feedback") continue;
      const missing = pieces.find(
        ({ start, values }) => !found.get(name)?.covers({ start, end: start + values.length }),
      );
      if (missing) {
        throw new RangeError(
          `train: the checkpoint of step ${step} lacks ${name} [${missing.start}, ${missing.start + missing.values.length})`,
        );
      }
    }
    this.step = step;
  }

  #takes(kind: StateKind, rank: number, oldWorldSize: number): boolean {
    if (kind === "shared") return true;
    return kind === "local"
      ? rank === this.rank % oldWorldSize
      : rank % this.worldSize === this.rank;
  }

  /** 64 bits, in hexadecimal, of the parameters' and buffers' bits: equal on all ranks after a synchronized step. */
  hash(): string {
    return hashWords(
      new Uint32Array(this.vector.buffer, this.vector.byteOffset, this.vector.length),
    );
  }
}

/** Stretches of a vector that were filled. */
class Coverage {
  readonly #ranges: Bucket[] = [];

  add(range: Bucket): void {
    this.#ranges.push(range);
  }

  covers({ start, end }: Bucket): boolean {
    let reached = start;
    for (const range of this.#ranges.toSorted((a, b) => a.start - b.start)) {
      if (range.start <= reached) reached = Math.max(reached, range.end);
    }
    return reached >= end;
  }
}

/** Copies, or adds, what of the entry lies in the piece; gives the range that it did. */
function overlay(
  piece: { start: number; values: Float32Array },
  entry: StateEntry,
  add: boolean,
): Bucket | undefined {
  const start = Math.max(piece.start, entry.start);
  const end = Math.min(piece.start + piece.values.length, entry.start + entry.values.length);
  if (end <= start) return undefined;
  const from = entry.values.subarray(start - entry.start, end - entry.start);
  const to = piece.values.subarray(start - piece.start, end - piece.start);
  if (add) from.forEach((value, i) => (to[i] = (to[i] ?? 0) + value));
  else to.set(from);
  return { start, end };
}

/** 0 at the zeros of the entries that are `masked`; nothing where there are none. */
function zeroMask(layout: Layout, vector: Float32Array): Uint8Array | undefined {
  if (!layout.entries.some(({ masked }) => masked)) return undefined;
  const mask = new Uint8Array(layout.parameters).fill(1);
  for (const { masked, kind, offset, length } of layout.entries) {
    if (!masked || kind !== "parameter") continue;
    for (let i = offset; i < offset + length; i++) if (vector[i] === 0) mask[i] = 0;
  }
  return mask;
}

/** Two lanes of MurmurHash3's 32-bit mixing (Appleby), with different seeds. */
function hashWords(words: Uint32Array): string {
  let low = 0x9747b28c;
  let high = 0x3c6ef372;
  for (const word of words) {
    const mixed = Math.imul(word, 0xcc9e2d51);
    const k = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    low = (Math.imul(((low ^ k) << 13) | ((low ^ k) >>> 19), 5) + 0xe6546b64) | 0;
    high = (Math.imul(((high ^ word) << 11) | ((high ^ word) >>> 21), 0x85ebca6b) + k) | 0;
  }
  return [low, high].map((lane) => finalMix(lane ^ words.length)).join("");
}

function finalMix(value: number): string {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0).toString(16).padStart(8, "0");
}
