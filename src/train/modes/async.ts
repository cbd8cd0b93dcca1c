/**
 * @file Asynchronous training with bounded staleness: each rank owns a shard of the parameters and serves it to all.
 *
 * A step pulls all shards from their owners, computes a gradient and pushes its parts to the owners, who apply
 * them as they come (a parameter server whose servers are the workers). An owner answers a pull for step t only
 * once every rank has pushed step t − 1 − maxStaleness (stale synchronous parallel, Ho et al. 2013), and takes the
 * step lr / (1 + staleness), where staleness counts the updates between a rank's pull and its push (after Zhang
 * et al. 2016). With N ranks in step it is about N − 1, so N pushes move the parameters about as far as one
 * step of `sync`.
 */
import type { BatchLoss } from "../executor.ts";
import { clipFactor, scaleInPlace, sumOfSquares } from "../clip.ts";
import type { Replica } from "../replica.ts";
import type { CheckpointOrigin, ExportOptions, StateEntry } from "../training-state.ts";
import { learningRate } from "../schedule.ts";
import { type ShardServerOptions, ShardServer } from "./shard-server.ts";
import {
  NonFiniteLossError,
  type StepInput,
  type StepMetrics,
  type Trainer,
  checkStep,
} from "./trainer.ts";

export type AsyncOptions = ShardServerOptions;

export function asyncTrainer(options: AsyncOptions): Trainer {
  return new AsyncTrainer(options);
}

class AsyncTrainer implements Trainer {
  /** Its vector is what was pulled last. */
  readonly replica: Replica;
  readonly #options: AsyncOptions;
  readonly #server: ShardServer;
  #finished = false;

  constructor(options: AsyncOptions) {
    this.replica = options.replica;
    this.#options = options;
    this.#server = new ShardServer(options);
  }

  async step(input: StepInput): Promise<StepMetrics> {
    const { replica } = this;
    checkStep(replica, input);
    const { executor, optimizer, schedule, totalSteps, checkpointEvery } = this.#options;
    const { step, batches } = input;
    this.#server.admit((Math.floor(step / checkpointEvery) + 1) * checkpointEvery);
    await this.#server.pull(step);
    const rate = learningRate(schedule, optimizer.lr, step, totalSteps);
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
    let metrics: BatchLoss = { loss: 0, count: 0 };
    let gradientNorm: number | undefined;
    if (rows > 0) {
      await replica.accumulate(executor, batches, rows);
      metrics = replica.metrics(replica.gradient);
      if (!Number.isFinite(metrics.loss)) throw new NonFiniteLossError(step, metrics.loss);
      gradientNorm = this.#prepare();
    }
    const staleness = await this.#server.push(step, rows > 0 ? replica.gradient : undefined);
    replica.step++;
    if (replica.step % checkpointEvery === 0) await this.#server.settled(replica.step);
    return {
      step,
      ...metrics,
      rows,
      learningRate: rate,
      gradientNorm,
      staleness,
      synchronized: true,
    };
  }

  /** Makes of the gradients and next buffers what is pushed: masked and clipped gradients, and the buffers' changes. */
  #prepare(): number | undefined {
    const { gradient, vector, layout, mask } = this.replica;
    const gradients = gradient.subarray(0, layout.parameters);
    mask?.forEach((trained, i) => {
      if (trained === 0) gradients[i] = 0;
    });
    for (let i = layout.parameters; i < layout.length; i++) {
      gradient[i] = (gradient[i] ?? 0) - (vector[i] ?? 0);
    }
    const { clipNorm } = this.#options;
    if (clipNorm === undefined) return undefined;
    const norm = Math.sqrt(sumOfSquares(gradients));
    const factor = clipFactor(norm, clipNorm);
    if (factor !== 1) scaleInPlace(gradients, factor);
    return norm;
  }

  export(options?: ExportOptions): StateEntry[] {
    const { step } = this.replica;
    const { checkpointEvery } = this.#options;
    if (step % checkpointEvery !== 0 && !this.#finished) {
      throw new RangeError(
        `train: step ${step} is no multiple of ${checkpointEvery}: in async mode the ranks agree only there`,
      );
    }
    return this.replica.export(options);
  }

  import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    origin: CheckpointOrigin,
  ): Promise<void> {
    return this.#server.shard.import(entries, origin);
  }

  async finish(): Promise<void> {
    await this.#server.finish();
    this.#finished = true;
  }
}
