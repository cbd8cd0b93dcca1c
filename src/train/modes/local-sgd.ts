/**
 * @file Local SGD: each rank takes H steps alone, then all take an outer step on the mean of their differences.
 *
 * DiLoCo (Douillard et al. 2023) is H of tens to hundreds with an outer Nesterov step of rate 0.7 and momentum 0.9;
 * an outer step of rate 1 without momentum is the averaging of parameters (Stich 2019). The inner optimizer's
 * state stays with its rank; the outer momentum is sharded by segment owner.
 */
import type { Codec } from "../../collectives/codecs/codec.ts";
import type { Collective } from "../../collectives/collective.ts";
import { clipFactor, scaleInPlace, sumOfSquares } from "../clip.ts";
import { type Optimizer, makeOptimizer } from "../optimizer.ts";
import { OptimizerShard } from "../optimizer-shard.ts";
import { optimizerSettings } from "../optimizer-options.ts";
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

export interface LocalSgdOptions extends TrainerOptions {
  collective: Collective;
  /** H: steps between two exchanges. A checkpoint after a multiple of H steps is smaller, and goes on in any world. */
  localSteps: number;
  /** Learning rate of the outer step. */
  outerLearningRate: number;
  /** Nesterov momentum of the outer step. */
  outerMomentum: number;
  /** How differences cross the network. Default: as float32. Buffers always do. */
  codec?: Codec | undefined;
}

export function localSgdTrainer(options: LocalSgdOptions): Trainer {
  return new LocalSgdTrainer(options);
}

class LocalSgdTrainer implements Trainer {
  /** Its vector is this rank's own between two exchanges. */
  readonly replica: Replica;
  readonly #options: LocalSgdOptions;
  readonly #exchange: Exchange;
  readonly #inner: OptimizerShard;
  readonly #outer: Optimizer;
  /** By bucket: this rank's part of the outer momentum. */
  readonly #momentum: Float32Array[];
  /** The parameters and buffers of the last exchange, the same on all ranks. */
  readonly #anchor: Float32Array;

  constructor(options: LocalSgdOptions) {
    const { replica, collective, codec, outerMomentum: momentum } = options;
    this.replica = replica;
    this.#options = options;
    this.#anchor = replica.vector.slice();
    replica.keep("vector", "shared", this.#anchor);
    replica.keep("local_vector", "local", replica.vector);
    const { parameters, length } = replica.layout;
    this.#inner = new OptimizerShard({
      replica,
      settings: options.optimizer,
      ranges: [{ start: 0, end: parameters }],
      kind: "local",
      arena: options.arena,
    });
    this.#exchange = new Exchange({ replica, collective, codec, length });
    this.#outer = makeOptimizer(
      optimizerSettings({ type: "sgd", momentum, nesterov: momentum !== 0 }),
      options.arena,
    );
    this.#momentum =
      momentum === 0 ? [] : replica.declare("outer_momentum", "shared", this.#exchange.own);
  }

  async step(input: StepInput): Promise<StepMetrics> {
    const { replica } = this;
    checkStep(replica, input);
    const { executor, optimizer, schedule, totalSteps, localSteps } = this.#options;
    const { step, batches } = input;
    const rate = learningRate(schedule, optimizer.lr, step, totalSteps);
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
    let gradientNorm: number | undefined;
    if (rows > 0) {
      await replica.accumulate(executor, batches, rows);
      gradientNorm = this.#update(rate);
    }
    const metrics = rows > 0 ? replica.metrics(replica.gradient) : { loss: 0, count: 0 };
    if (!Number.isFinite(metrics.loss)) throw new NonFiniteLossError(step, metrics.loss);
    const synchronized = (step + 1) % localSteps === 0;
    if (synchronized) await this.#synchronize();
    replica.step++;
    return { step, ...metrics, rows, learningRate: rate, gradientNorm, synchronized };
  }

  /** A step of the inner optimizer on all parameters. */
  #update(learningRate: number): number | undefined {
    const { vector, gradient, layout, step } = this.replica;
    const all = { start: 0, end: layout.parameters };
    const gradients = gradient.subarray(0, layout.parameters);
    const { clipNorm } = this.#options;
    this.#inner.mask(all, gradients);
    let norm: number | undefined;
    if (clipNorm !== undefined) {
      norm = Math.sqrt(sumOfSquares(gradients));
      const factor = clipFactor(norm, clipNorm);
      if (factor !== 1) scaleInPlace(gradients, factor);
    }
    this.#inner.update(all, vector.subarray(0, layout.parameters), gradients, {
      learningRate,
      step,
    });
    vector.set(gradient.subarray(layout.parameters, layout.length), layout.parameters);
    return norm;
  }

  /** The outer step: its gradient is the mean, over the ranks, of how far each has come from the anchor. */
  async #synchronize(): Promise<void> {
    const { vector, gradient: difference, layout, worldSize } = this.replica;
    const share = 1 / worldSize;
    for (let i = 0; i < layout.length; i++) {
      const now = vector[i] ?? 0;
      difference[i] = (i < layout.parameters ? (this.#anchor[i] ?? 0) - now : now) * share;
    }
    const reduced: Promise<unknown>[] = [];
    this.#exchange.reduce(difference, layout.length, reduced);
    await this.#exchange.deliver(this.#anchor, difference, reduced, ({ start, end }, k) => {
      const momentum = this.#momentum[k];
      this.#outer.apply(
        this.#anchor.subarray(start, end),
        difference.subarray(start, end),
        momentum ? [momentum] : [],
        { learningRate: this.#options.outerLearningRate, step: 0, weightDecay: 0 },
      );
    });
    vector.set(this.#anchor);
  }

  export(options?: ExportOptions): StateEntry[] {
    const entries = this.replica.export(options);
    if (this.replica.step % this.#options.localSteps !== 0) return entries;
    return entries.filter(({ name }) => name !== "local_vector");
  }

  async import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    origin: CheckpointOrigin,
  ): Promise<void> {
    const missing = await this.replica.import(entries, origin, ["local_vector", "outer_momentum"]);
    if (missing.includes("local_vector")) this.replica.vector.set(this.#anchor);
  }

  async finish(): Promise<void> {
    if (this.replica.step % this.#options.localSteps !== 0) await this.#synchronize();
    await this.#options.collective.barrier();
  }
}
