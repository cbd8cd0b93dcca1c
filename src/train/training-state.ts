/**
 * @file All that a rank keeps from step to step, by name, kind and place, and how a checkpoint holds it.
 *
 * A checkpoint is a list of pieces of named vectors. Any rank of any world picks what it needs.
 */
import { segmentOf } from "../collectives/segments.ts";
import type { Bucket } from "./layout.ts";

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

export interface StateVector {
  name: string;
  kind: StateKind;
  pieces: { start: number; values: Float32Array }[];
  /** All ranks hold all of it. */
  replicated: boolean;
}

export class TrainingState {
  readonly #rank: number;
  readonly #worldSize: number;
  readonly #vectors: StateVector[] = [];

  constructor(rank: number, worldSize: number) {
    this.#rank = rank;
    this.#worldSize = worldSize;
  }

  add(state: StateVector): void {
    if (this.#vectors.some(({ name }) => name === state.name)) {
      throw new RangeError(`train: state "${state.name}" is declared twice`);
    }
    this.#vectors.push(state);
  }

  /** @throws RangeError where a value is NaN or infinite */
  export(step: number, { replicated = "part" }: ExportOptions): StateEntry[] {
    const entries = this.#vectors.flatMap((state) =>
      state.pieces.map(({ start, values }) => {
        const { name, kind } = state;
        if (!state.replicated || replicated === "whole") {
          return { name, kind, rank: this.#rank, start, values };
        }
        const part = segmentOf(values.length, this.#rank, this.#worldSize);
        return {
          name,
          kind,
          rank: this.#rank,
          start: start + part.start,
          values: values.subarray(part.start, part.end),
        };
      }),
    );
    for (const { name, start, values } of entries) {
      const bad = firstNonFinite(values);
      if (bad < 0) continue;
      throw new RangeError(
        `train: element ${start + bad} of ${name} is ${values[bad]} after step ${step}`,
      );
    }
    return entries.filter(({ values }) => values.length > 0);
  }

  /** @throws RangeError where state that is not optional, or part of it, is in none of the entries */
  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    { step, worldSize }: CheckpointOrigin,
    optional: readonly string[],
  ): Promise<string[]> {
    const found = new Map(this.#vectors.map(({ name }): [string, Bucket[]] => [name, []]));
    for await (const entry of entries) {
      const state = this.#vectors.find(({ name }) => name === entry.name);
      if (!state || !this.#takes(state.kind, entry, worldSize)) continue;
      for (const piece of state.pieces) found.get(state.name)?.push(overlay(piece, entry));
    }
    const missing: string[] = [];
    for (const { name, kind, pieces } of this.#vectors) {
      const lacking = pieces.find((piece) => !covers(found.get(name) ?? [], piece));
      if (!lacking || kind === "feedback") continue;
      if (!optional.includes(name)) {
        throw new RangeError(
          `train: the checkpoint of step ${step} lacks ${name} [${lacking.start}, ${lacking.start + lacking.values.length})`,
        );
      }
      missing.push(name);
    }
    return missing;
  }

  /** The kinds of state and entry differ where a checkpoint goes on in another mode. */
  #takes(kind: StateKind, entry: StateEntry, oldWorldSize: number): boolean {
    if (kind === "feedback") return oldWorldSize === this.#worldSize && entry.rank === this.#rank;
    if (entry.kind === "shared") return true;
    return entry.rank === (kind === "local" ? this.#rank % oldWorldSize : 0);
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
