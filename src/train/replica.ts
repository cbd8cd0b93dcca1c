/**
 * @file One rank's state: the flat vector, its part of the optimizer's state, masks, and all of it as a checkpoint.
 *
 * Free of the platform and of the mode: the modes (modes/*) declare what they keep from step to step, so that
 * `export` and `import` know it.
 */
import { segmentOf } from "../collectives/segments.ts";
import type { Batch, BatchLoss, Executor } from "./executor.ts";
import { hashWords } from "./hash.ts";
import type { Bucket, Layout } from "./layout.ts";

/**
 * How a state vector lies over the ranks.
 * `shared`: the same for all, whole on each rank or in parts (ZeRO-1), so any rank's piece of it will do.
 * `local`: each rank has its own; in a changed world rank r goes on with that of rank r mod the old world size.
 * `feedback`: each rank has its own (what encoding lost), and in a changed world it starts from zeros.
 */
export type StateKind = "shared" | "local" | "feedback";

/** A piece of a checkpoint. */
export interface StateEntry {
  /** `vector` are the parameters and buffers; the others are the mode's and optimizer's (`exp_avg`, …). */
  name: string;
  kind: StateKind;
  /** The rank that exported it. */
  rank: number;
  /** Which part of the named vector it is: the elements from here on. */
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

export interface ExportOptions {
  /**
   * Of what all ranks hold alike: this rank's N-th part, so that all ranks' exports together are the whole
   * (`part`, the default), or all of it (`whole`), so that one rank's export is enough for that rank.
   */
  replicated?: "part" | "whole";
}

interface StateVector {
  name: string;
  kind: StateKind;
  pieces: { start: number; values: Float32Array }[];
  /** All ranks hold all of it. */
  replicated: boolean;
}

/** Elements behind the gradients and buffers in `Replica.gradient`: loss, correct, count, and the count where `correct` is known. */
export const METRICS = 4;

export interface ReplicaOptions {
  layout: Layout;
  rank: number;
  worldSize: number;
  /** The parameters and buffers at the very start of the training, even where a checkpoint follows: masks come from it. Copied. */
  vector: Float32Array;
}

export class Replica {
  readonly layout: Layout;
  readonly rank: number;
  readonly worldSize: number;
  /** Parameters, then buffers. */
  readonly vector: Float32Array;
  /** `vector` with room for the metrics behind it: what ranks exchange. */
  readonly exchange: Float32Array;
  /** Weighted sums over this step's batches: gradients, the buffers' next values, metrics. */
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
    this.exchange = new Float32Array(layout.length + METRICS);
    this.vector = this.exchange.subarray(0, layout.length);
    this.vector.set(vector);
    this.gradient = new Float32Array(layout.length + METRICS);
    this.mask = zeroMask(layout, vector);
  }

  /**
   * Fills `gradient` from a step's batches.
   * @param rows of which each batch's rows are a share: its weight
   * @param ready called with n when the first n elements of `gradient` are final
   */
  async accumulate(
    executor: Executor,
    batches: readonly Batch[],
    rows: number,
    ready?: (end: number) => void,
  ): Promise<void> {
    const { gradient, layout } = this;
    gradient.fill(0);
    for (const [i, batch] of batches.entries()) {
      const weight = batch.rows / rows;
      const last = i === batches.length - 1;
      const { loss, correct, count } = await executor.gradients(this.vector, batch, {
        into: gradient,
        weight,
        ready: last ? ready : undefined,
      });
      const metrics = gradient.subarray(layout.length);
      const sums = [weight * loss, correct ?? 0, count, correct === undefined ? 0 : count];
      sums.forEach((value, k) => (metrics[k] = (metrics[k] ?? 0) + value));
    }
    ready?.(gradient.length);
  }

  /** The metrics behind a vector of this layout. */
  metrics(from: Float32Array): BatchLoss {
    const [loss = NaN, correct = 0, count = 0, classified = 0] = from.subarray(this.layout.length);
    return { loss, correct: classified > 0 ? correct : undefined, count };
  }

  /**
   * Makes a state vector of zeros that checkpoints hold.
   * @param ranges the parts of it that this rank keeps
   * @returns one array per range
   */
  declare(name: string, kind: StateKind, ranges: readonly Bucket[]): Float32Array[] {
    const pieces = ranges.map(({ start, end }) => ({
      start,
      values: new Float32Array(end - start),
    }));
    this.#keep({ name, kind, pieces, replicated: false });
    return pieces.map(({ values }) => values);
  }

  /** Has checkpoints hold a vector that all ranks have alike (`shared`), or each its own, whole. */
  keep(name: string, kind: StateKind, values: Float32Array): void {
    const pieces = [{ start: 0, values }];
    this.#keep({ name, kind, pieces, replicated: kind === "shared" });
  }

  /** Has checkpoints hold this rank's part of a shared vector. @param start of the part, in the vector */
  keepPart(name: string, start: number, values: Float32Array): void {
    this.#keep({ name, kind: "shared", pieces: [{ start, values }], replicated: false });
  }

  #keep(state: StateVector): void {
    if (this.#states.some(({ name }) => name === state.name)) {
      throw new RangeError(`train: state "${state.name}" is declared twice`);
    }
    this.#states.push(state);
  }

  /**
   * All state after the last finished step, as views: write or copy them before the next one.
   * @throws RangeError where a value is NaN or infinite, so that no checkpoint holds one
   */
  export({ replicated = "part" }: ExportOptions = {}): StateEntry[] {
    const entries = this.#states.flatMap((state) =>
      state.pieces.map(({ start, values }) => {
        const { name, kind } = state;
        if (!state.replicated || replicated === "whole") {
          return { name, kind, rank: this.rank, start, values };
        }
        const part = segmentOf(values.length, this.rank, this.worldSize);
        return {
          name,
          kind,
          rank: this.rank,
          start: start + part.start,
          values: values.subarray(part.start, part.end),
        };
      }),
    );
    for (const { name, start, values } of entries) {
      const bad = firstNonFinite(values);
      if (bad < 0) continue;
      throw new RangeError(
        `train: element ${start + bad} of ${name} is ${values[bad]} after step ${this.step}`,
      );
    }
    return entries.filter(({ values }) => values.length > 0);
  }

  /**
   * Takes over a checkpoint. `entries` are all ranks' in any order, of which it takes what it needs, so they
   * can stream; in the same world one rank's own `whole` export will do.
   * @param optional names that may be missing; their values stay as they are
   * @returns the optional ones that are missing
   * @throws RangeError where other state, or part of it, is in none of the entries
   */
  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    { step, worldSize }: CheckpointOrigin,
    optional: readonly string[] = [],
  ): Promise<string[]> {
    const found = new Map(this.#states.map(({ name }): [string, Bucket[]] => [name, []]));
    for await (const entry of entries) {
      const state = this.#states.find(({ name }) => name === entry.name);
      if (!state || !this.#takes(state.kind, entry, worldSize)) continue;
      for (const piece of state.pieces) found.get(state.name)?.push(overlay(piece, entry));
    }
    const missing: string[] = [];
    for (const { name, kind, pieces } of this.#states) {
      const lacking = pieces.find((piece) => !covers(found.get(name) ?? [], piece));
      if (!lacking || kind === "feedback") continue;
      if (!optional.includes(name)) {
        throw new RangeError(
          `train: the checkpoint of step ${step} lacks ${name} [${lacking.start}, ${lacking.start + lacking.values.length})`,
        );
      }
      missing.push(name);
    }
    this.step = step;
    return missing;
  }

  /** The kinds of state and entry differ where a checkpoint goes on in another mode. */
  #takes(kind: StateKind, entry: StateEntry, oldWorldSize: number): boolean {
    if (kind === "feedback") return oldWorldSize === this.worldSize && entry.rank === this.rank;
    if (entry.kind === "shared") return true;
    return entry.rank === (kind === "local" ? this.rank % oldWorldSize : 0);
  }

  /** 64 bits of the parameters' and buffers' bits in hexadecimal: equal on all ranks after a synchronized step. */
  hash(): string {
    const { buffer, byteOffset, length } = this.vector;
    return hashWords(new Uint32Array(buffer, byteOffset, length));
  }
}

/** The place of the first NaN or infinity, or −1. */
function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    // only a finite number less itself is 0
    if (value - value !== 0) return i;
  }
  return -1;
}

/** Copies what of the entry lies in the piece; gives its range, which may be empty. */
function overlay(piece: StateVector["pieces"][number], entry: StateEntry): Bucket {
  const start = Math.max(piece.start, entry.start);
  const end = Math.min(piece.start + piece.values.length, entry.start + entry.values.length);
  if (end <= start) return { start, end: start };
  piece.values.set(
    entry.values.subarray(start - entry.start, end - entry.start),
    start - piece.start,
  );
  return { start, end };
}

function covers(ranges: readonly Bucket[], piece: StateVector["pieces"][number]): boolean {
  let reached = piece.start;
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    if (range.start <= reached) reached = Math.max(reached, range.end);
  }
  return reached >= piece.start + piece.values.length;
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
