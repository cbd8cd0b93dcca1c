/**
 * @file The part of the vector that one rank owns in async mode, and how gradients of all ranks change it.
 *
 * No network here: `shard-server.ts` decides when what may come in.
 */
import { segmentOf } from "../../collectives/segments.ts";
import type { Bucket } from "../layout.ts";
import { OptimizerShard } from "../optimizer-shard.ts";
import type { Replica } from "../replica.ts";
import type { CheckpointOrigin, StateEntry } from "../training-state.ts";
import { learningRate } from "../schedule.ts";
import type { TrainerOptions } from "./trainer.ts";

/** A gradient of which some chunks are applied. */
interface Incoming {
  from: number;
  /** Where the chunks that came begin. */
  offsets: Set<number>;
  elements: number;
  staleness: number;
}

export class ParameterShard {
  /** In the vector's elements. */
  readonly range: Bucket;
  readonly values: Float32Array;
  readonly #options: TrainerOptions;
  readonly #replica: Replica;
  readonly #optimizer: OptimizerShard;
  /** The parameters among `range`; buffers follow. */
  readonly #parameters: Bucket;
  /** How many gradients were applied, as a state vector of one element. */
  readonly #updates = new Float32Array(1);
  /** By rank: how many of its steps are in the shard. */
  readonly #steps: number[];
  /** By rank: `updates` when it was last given the shard. */
  readonly #givenAt: number[];
  #incoming: Incoming | undefined;

  constructor(options: TrainerOptions) {
    const { replica, optimizer: settings, arena } = options;
    const { layout, rank, worldSize, vector } = replica;
    const { start, end } = segmentOf(layout.length, rank, worldSize);
    this.#options = options;
    this.#replica = replica;
    this.range = { start, end };
    this.values = vector.slice(start, end);
    this.#parameters = {
      start: Math.min(start, layout.parameters),
      end: Math.min(end, layout.parameters),
    };
    replica.keepPart("vector", start, this.values);
    replica.keep("updates", "shared", this.#updates);
    const ranges = [this.#parameters];
    this.#optimizer = new OptimizerShard({ replica, settings, ranges, kind: "shared", arena });
    this.#steps = Array.from({ length: worldSize }, () => 0);
    this.#givenAt = this.#steps.slice();
  }

  get updates(): number {
    return this.#updates[0] ?? 0;
  }

  /** Steps of every rank that are in the shard. */
  get slowest(): number {
    return Math.min(...this.#steps);
  }

  /** Steps of a rank that are in the shard. */
  steps(rank: number): number {
    return this.#steps[rank] ?? 0;
  }

  /** Notes that a rank is given the shard as it is now. */
  giving(rank: number): Float32Array {
    this.#givenAt[rank] = this.updates;
    return this.values;
  }

  /** Updates by others since a rank was last given the shard. */
  staleness(rank: number): number {
    return this.updates - (this.#givenAt[rank] ?? 0);
  }

  /** Whether a chunk (or, without an offset, the step) of a rank has been applied. */
  has(from: number, step: number, offset?: number): boolean {
    if (step < this.steps(from)) return true;
    const incoming = this.#incoming;
    return offset !== undefined && incoming?.from === from && incoming.offsets.has(offset);
  }

  /** Whether it is a rank's turn: its steps come in order, and one gradient is applied at a time. */
  accepts(from: number, step: number): boolean {
    return step === this.steps(from) && (this.#incoming?.from ?? from) === from;
  }

  /** A rank's step is done without a gradient. */
  pass(from: number): void {
    this.#steps[from] = this.steps(from) + 1;
  }

  /**
   * Applies a chunk of a rank's gradient.
   * @param offset in the vector's elements
   * @param chunk gradients; behind the parameters, how the buffers change
   */
  apply(from: number, step: number, offset: number, chunk: Float32Array): void {
    this.#incoming ??= {
      from,
      offsets: new Set(),
      elements: 0,
      staleness: this.staleness(from),
    };
    const incoming = this.#incoming;
    const end = offset + chunk.length;
    if (!(offset >= this.range.start && end <= this.range.end)) {
      throw new RangeError(
        `train: a gradient of [${offset}, ${end}) came to the owner of [${this.range.start}, ${this.range.end})`,
      );
    }
    const { schedule, optimizer, totalSteps } = this.#options;
    const rate = learningRate(schedule, optimizer.lr, step, totalSteps) / (1 + incoming.staleness);
    const at = offset - this.range.start;
    const to = Math.max(offset, Math.min(end, this.#parameters.end));
    this.#optimizer.update(
      { start: offset, end: to },
      this.values.subarray(at, at + to - offset),
      chunk.subarray(0, to - offset),
      { learningRate: rate, step: this.updates },
    );
    for (let i = to - offset; i < chunk.length; i++) {
      this.values[at + i] = (this.values[at + i] ?? 0) + (chunk[i] ?? 0) / this.#replica.worldSize;
    }
    incoming.offsets.add(offset);
    incoming.elements += chunk.length;
    if (incoming.elements < this.values.length) return;
    this.#incoming = undefined;
    this.#updates[0] = this.updates + 1;
    this.pass(from);
  }

  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    origin: CheckpointOrigin,
  ): Promise<void> {
    // a checkpoint of another mode does not count updates: one a step
    const missing = await this.#replica.import(entries, origin, ["updates"]);
    if (missing.includes("updates")) this.#updates[0] = origin.step;
    this.#steps.fill(origin.step);
    this.#givenAt.fill(this.updates);
  }
}
