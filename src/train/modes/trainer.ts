/** @file What the three modes of training have in common: a step, a checkpoint, an end. */
import type { Arena } from "../../kernels/arena.ts";
import type { Batch, Executor } from "../executor.ts";
import type { OptimizerSettings, ScheduleSettings } from "../optimizer-options.ts";
import type { Replica } from "../replica.ts";
import type { CheckpointOrigin, ExportOptions, StateEntry } from "../training-state.ts";

/** What a trainer of any mode is made of. */
export interface TrainerOptions {
  replica: Replica;
  executor: Executor;
  optimizer: OptimizerSettings;
  schedule: ScheduleSettings;
  /** Largest L2 norm of the gradient; absent: not clipped. */
  clipNorm?: number | undefined;
  /** Steps of the whole training, for the schedule. */
  totalSteps: number;
  /** SIMD kernels; without them the same arithmetic runs in plain TypeScript, bit for bit. */
  arena?: Arena | undefined;
}

export interface StepInput {
  /** Counts the optimizer's steps from 0; the next one after `replica.step` finished steps. */
  step: number;
  /** This rank's batches of the step: several where gradients are accumulated, none where its rows are out. */
  batches: readonly Batch[];
  /** Rows of all ranks' batches of this step (`stepRows` of batches.ts): a rank's weight is its share of them. */
  globalRows: number;
}

export interface StepMetrics {
  step: number;
  /** Mean over `rows`; 0 where there are none. */
  loss: number;
  /** Among `count`; absent where the loss is no classification. */
  correct?: number | undefined;
  /** Rows, or positions in them. */
  count: number;
  /** sync: the rows of all ranks; local_sgd and async: this rank's. */
  rows: number;
  learningRate: number;
  /** Norm of the gradient before it was clipped; absent where it is not clipped. */
  gradientNorm?: number | undefined;
  /** async: updates by others between this rank's pull and push, the most over the shards. */
  staleness?: number | undefined;
  /** Parameters were exchanged in this step (sync: always; local_sgd: every H steps). */
  synchronized: boolean;
}

/**
 * A mode of training on one rank. Calls go one at a time.
 * After an error a trainer is of no further use: make a new one and import the last checkpoint.
 */
export interface Trainer {
  readonly replica: Replica;
  /**
   * @throws NonFiniteLossError where the loss is NaN or infinite: in sync on all ranks in the same step, in the
   *   other modes on the rank that has it; training again from a checkpoint would only repeat it
   * @throws the collective's or transport's PeerError
   */
  step(input: StepInput): Promise<StepMetrics>;
  /**
   * This rank's part of the checkpoint of `replica.step`. The values are views: write or copy them before the
   * next step. In async mode only after a step whose count is a multiple of `checkpointEvery`.
   * @throws RangeError where a value is NaN or infinite
   */
  export(options?: ExportOptions): StateEntry[];
  /**
   * Goes on from a checkpoint, of whatever world size. Only on a new trainer, whose replica began with the
   * first vector of the training.
   * @throws RangeError where the entries lack part of the state
   */
  import(
    entries: Iterable<StateEntry> | AsyncIterable<StateEntry>,
    origin: CheckpointOrigin,
  ): Promise<void>;
  /** After the last step: makes `replica.vector` the result, the same on every rank. */
  finish(): Promise<void>;
}

/** The loss is NaN or infinite; the parameters are not to be used. */
export class NonFiniteLossError extends Error {
  readonly step: number;
  readonly loss: number;

  constructor(step: number, loss: number) {
    super(`train: the loss is ${loss} at step ${step}`);
    this.name = "NonFiniteLossError";
    this.step = step;
    this.loss = loss;
  }
}

/** @throws RangeError where a step is not the replica's next one */
export function checkStep(replica: Replica, { step, globalRows }: StepInput): void {
  if (step !== replica.step) {
    throw new RangeError(`train: step ${step} was asked for, step ${replica.step} is next`);
  }
  if (!(globalRows > 0)) throw new RangeError(`train: step ${step} has ${globalRows} rows`);
}
