/**
 * @file Synchronous data parallelism: in every step all ranks average their gradients and take the same step.
 *
 * Reduce-scatter of the gradients → (clip) → each rank updates its own segments with its own part of the
 * optimizer's state → allgather of the parameters. Buffers and metrics ride behind the last bucket. Sums have a
 * fixed order: so the parameters are the same bits on all ranks, and in every repetition.
 */
import type { Codec } from "../../collectives/codecs/codec.ts";
import type { Collective } from "../../collectives/collective.ts";
import { clipFactor, globalNorm, scaleInPlace, sumOfSquares } from "../clip.ts";
import { OptimizerShard } from "../optimizer-shard.ts";
import type { Replica } from "../replica.ts";
import type { CheckpointOrigin, ExportOptions, StateEntry } from "../training-state.ts";
import { learningRate } from "../schedule.ts";
import { Exchange } from "./exchange.ts";
import {
  NonFiniteLossError,
  type StepInput,
  type StepMetrics,
  type Trainer,
  type TrainerOptions,
  checkStep,
} from "./trainer.ts";

export interface SyncOptions extends TrainerOptions {
  collective: Collective;
  /** How gradients and updated parameters cross the network. Default: as float32. Buffers and metrics always do. */
  codec?: Codec | undefined;
}

export function syncTrainer(options: SyncOptions): Trainer {
  return new SyncTrainer(options);
}

class SyncTrainer implements Trainer {
  readonly replica: Replica;
  readonly #options: SyncOptions;
  readonly #exchange: Exchange;
  readonly #optimizer: OptimizerShard;

  constructor(options: SyncOptions) {
    const { replica, collective, codec, optimizer: settings, arena } = options;
    this.replica = replica;
    this.#options = options;
    replica.keep("vector", "shared", replica.vector);
    this.#exchange = new Exchange({ replica, collective, codec, length: replica.exchange.length });
    const ranges = this.#exchange.own;
    this.#optimizer = new OptimizerShard({ replica, settings, ranges, kind: "shared", arena });
  }

  async step(input: StepInput): Promise<StepMetrics> {
    checkStep(this.replica, input);
    const { executor, optimizer, schedule, totalSteps, clipNorm } = this.#options;
    const { gradient, exchange } = this.replica;
    const { step, batches, globalRows } = input;
    const rate = learningRate(schedule, optimizer.lr, step, totalSteps);
    const reduced: Promise<unknown>[] = [];
    await this.replica.accumulate(executor, batches, globalRows, (end) =>
      this.#exchange.reduce(gradient, end, reduced),
    );
    const gradientNorm = clipNorm === undefined ? undefined : await this.#clip(clipNorm, reduced);
    await this.#exchange.deliver(exchange, gradient, reduced, (own) => {
      const gradients = gradient.subarray(own.start, own.end);
      this.#optimizer.mask(own, gradients);
      const parameters = exchange.subarray(own.start, own.end);
      this.#optimizer.update(own, parameters, gradients, { learningRate: rate, step });
    });
    const metrics = this.replica.metrics(exchange);
    if (!Number.isFinite(metrics.loss)) throw new NonFiniteLossError(step, metrics.loss);
    this.replica.step++;
    const rows = globalRows;
    return { step, ...metrics, rows, learningRate: rate, gradientNorm, synchronized: true };
  }

  /** Scales the own segments of the reduced gradient so that the norm of the whole is within the bound; gives the norm before. */
  async #clip(clipNorm: number, reduced: readonly Promise<unknown>[]): Promise<number> {
    await Promise.all(reduced);
    const own = this.#exchange.own.map((range) => {
      const values = this.replica.gradient.subarray(range.start, range.end);
      this.#optimizer.mask(range, values);
      return values;
    });
    const squares = own.reduce((sum, values) => sum + sumOfSquares(values), 0);
    const norm = await globalNorm(this.#options.collective, squares);
    const factor = clipFactor(norm, clipNorm);
    if (factor !== 1) for (const values of own) scaleInPlace(values, factor);
    return norm;
  }

  export(options?: ExportOptions): StateEntry[] {
    return this.replica.export(options);
  }

  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    origin: CheckpointOrigin,
  ): Promise<void> {
    await this.replica.import(entries, origin);
  }

  async finish(): Promise<void> {
    await this.#options.collective.barrier();
  }
}
