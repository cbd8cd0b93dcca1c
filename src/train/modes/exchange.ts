/**
 * @file Buckets on their way: reduce-scatter of what all ranks have computed, and allgather of what its owners
 * made of it, one bucket after another, so that one is under way while the next is prepared.
 *
 * All ranks start the same operations in the same order, whatever the timing.
 */
import type { Codec } from "../../collectives/codecs/codec.ts";
import type { Collective } from "../../collectives/collective.ts";
import type { Bucket } from "../layout.ts";
import type { Replica } from "../replica.ts";

export interface ExchangeOptions {
  replica: Replica;
  collective: Collective;
  /** For gradients and parameters; what lies behind them always goes as float32. */
  codec?: Codec | undefined;
  /** Elements of the exchanged vectors: the parameters and what lies behind them. */
  length: number;
}

export class Exchange {
  /** This rank's part of each parameter bucket. */
  readonly own: readonly Bucket[];
  readonly #collective: Collective;
  readonly #codec: Codec | undefined;
  readonly #parameters: number;
  /** The parameters' buckets; the last goes on to the vector's end, unless the tail goes on its own. */
  readonly #buckets: Bucket[];
  /** What is behind the parameters, where a lossy codec forbids that it shares a bucket with them. */
  readonly #tail: Bucket | undefined;
  /** What encoding lost; absent where it loses nothing. */
  readonly #residual: Float32Array | undefined;

  constructor({ replica, collective, codec, length }: ExchangeOptions) {
    const { parameters, buckets } = replica.layout;
    this.#collective = collective;
    this.#codec = codec;
    this.#parameters = parameters;
    this.#buckets = buckets.map(({ start, end }) => ({ start, end }));
    const last = this.#buckets.at(-1);
    const lossy = codec !== undefined && !codec.lossless;
    if (lossy || !last) this.#tail = { start: parameters, end: length };
    else last.end = length;
    this.own = this.#buckets.map((bucket) => {
      const { start, end } = this.#segment(bucket);
      return { start: Math.min(start, parameters), end: Math.min(end, parameters) };
    });
    if (lossy) {
      [this.#residual] = replica.declare("residual", "feedback", [{ start: 0, end: parameters }]);
    }
  }

  /**
   * Starts to sum the buckets of which all elements are final.
   * @param vector what this rank adds
   * @param end how many of its elements are final
   * @param started the reductions so far, in order; new ones are appended
   */
  reduce(vector: Float32Array, end: number, started: Promise<unknown>[]): void {
    const stages = this.#tail ? [...this.#buckets, this.#tail] : this.#buckets;
    for (let k = started.length; k < stages.length; k++) {
      const stage = stages[k];
      if (!stage || stage.end > end) return;
      const values = vector.subarray(stage.start, stage.end);
      const reduction: Promise<unknown> =
        stage === this.#tail
          ? this.#collective.allreduce(values, { op: "sum" })
          : this.#collective.reduceScatter(values, { op: "sum", ...this.#encoding(stage) });
      started.push(held(reduction));
    }
  }

  /**
   * Has every bucket updated by its owners and delivered to all: `vector` is then the same on all ranks.
   * @param sums the reduced vector; its contents are lost
   * @param reduced the reductions
   * @param update updates this rank's part of the k-th bucket, in `vector`
   */
  async deliver(
    vector: Float32Array,
    sums: Float32Array,
    reduced: readonly Promise<unknown>[],
    update: (own: Bucket, k: number) => void,
  ): Promise<void> {
    const delivered: Promise<void>[] = [];
    for (const [k, bucket] of this.#buckets.entries()) {
      await reduced[k];
      const own = this.own[k] ?? { start: 0, end: 0 };
      delivered.push(held(this.#deliverBucket(vector, sums, bucket, () => update(own, k), own)));
    }
    await Promise.all([...reduced, ...delivered]);
    if (this.#tail) vector.set(sums.subarray(this.#tail.start, this.#tail.end), this.#tail.start);
  }

  #deliverBucket(
    vector: Float32Array,
    sums: Float32Array,
    bucket: Bucket,
    update: () => void,
    own: Bucket,
  ): Promise<void> {
    if (this.#residual) return this.#deliverDifference(vector, sums, bucket, update, own);
    update();
    const segment = this.#segment(bucket);
    const behind = Math.max(segment.start, this.#parameters);
    if (segment.end > behind) vector.set(sums.subarray(behind, segment.end), behind);
    return this.#collective.allgather(
      vector.subarray(bucket.start, bucket.end),
      this.#encoding(bucket),
    );
  }

  /** What an owner changed is delivered as a difference; the owner, too, moves only by what the others decode. */
  async #deliverDifference(
    vector: Float32Array,
    sums: Float32Array,
    bucket: Bucket,
    update: () => void,
    own: Bucket,
  ): Promise<void> {
    const before = vector.slice(own.start, own.end);
    update();
    before.forEach((old, i) => {
      sums[own.start + i] = (vector[own.start + i] ?? 0) - old;
    });
    vector.set(before, own.start);
    const { start, end } = bucket;
    await this.#collective.allgather(sums.subarray(start, end), this.#encoding(bucket));
    for (let i = start; i < end; i++) vector[i] = (vector[i] ?? 0) + (sums[i] ?? 0);
  }

  #encoding({ start, end }: Bucket): { codec?: Codec; residual?: Float32Array } {
    return {
      ...(this.#codec && { codec: this.#codec }),
      ...(this.#residual && { residual: this.#residual.subarray(start, end) }),
    };
  }

  /** This rank's segment of a bucket, in the vector's elements. */
  #segment({ start, end }: Bucket): Bucket {
    const segment = this.#collective.segment(end - start);
    return { start: start + segment.start, end: start + segment.end };
  }
}

/** The promise itself; that it may reject before somebody waits for it is no unhandled rejection. */
function held<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
