/**
 * @file One rank's state: the flat vector, its part of the optimizer's state, masks, and all of it as a checkpoint.
 *
 * Free of the platform and of the mode: the modes (modes/*) declare what they keep from step to step, so that
 * `export` and `import` know it.
 */
import type { Batch, BatchLoss, Executor } from "./executor.ts";
import { hashWords } from "./hash.ts";
import type { Bucket, Layout } from "./layout.ts";
import {
  type CheckpointOrigin,
  type ExportOptions,
  type StateEntry,
  type StateKind,
  TrainingState,
} from "./training-state.ts";

export type { StateEntry } from "./training-state.ts";

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
  readonly #state: TrainingState;

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
    this.#state = new TrainingState(rank, worldSize);
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
        unchanged: i > 0,
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
    this.#state.add({ name, kind, pieces, replicated: false });
    return pieces.map(({ values }) => values);
  }

  /** Has checkpoints hold a vector that all ranks have alike (`shared`), or each its own, whole. */
  keep(name: string, kind: StateKind, values: Float32Array): void {
    const pieces = [{ start: 0, values }];
    this.#state.add({ name, kind, pieces, replicated: kind === "shared" });
  }

  /** Has checkpoints hold this rank's part of a shared vector. @param start of the part, in the vector */
  keepPart(name: string, start: number, values: Float32Array): void {
    this.#state.add({ name, kind: "shared", pieces: [{ start, values }], replicated: false });
  }

  /**
   * All state after the last finished step, as views: write or copy them before the next one.
   * @throws RangeError where a value is NaN or infinite, so that no checkpoint holds one
   */
  export(options: ExportOptions = {}): StateEntry[] {
    return this.#state.export(this.step, options);
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
    origin: CheckpointOrigin,
    optional: readonly string[] = [],
  ): Promise<string[]> {
    const missing = await this.#state.import(entries, origin, optional);
    this.step = origin.step;
    return missing;
  }

  /** 64 bits of the parameters' and buffers' bits in hexadecimal: equal on all ranks after a synchronized step. */
  hash(): string {
    const { buffer, byteOffset, length } = this.vector;
    return hashWords(new Uint32Array(buffer, byteOffset, length));
  }
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
