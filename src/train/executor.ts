/**
 * @file Who computes a rank's gradients: one interface over a session of this isolate or a runner elsewhere.
 *
 * An executor holds no state of the training: parameters and buffers go in with every call.
 */
import type { HostTensor } from "../runtime/runtime.ts";

/** Rows that one gradient is computed from. */
export interface Batch {
  /** Rows; the first dimension of every field. */
  rows: number;
  /** The step model's batch inputs by name. */
  fields: Readonly<Record<string, HostTensor>>;
  /** Seeds dropout in this batch: a whole number of 32 bits. */
  seed: number;
}

/** What the step and evaluate models say of one batch. */
export interface BatchLoss {
  /** Mean over `count`. */
  loss: number;
  /** How many of `count` were classified rightly; absent where the loss is no classification. */
  correct?: number | undefined;
  /** Rows, or positions in them. */
  count: number;
}

/** Where gradients are added up. */
export interface GradientSink {
  /** At least as long as the vector, in the same order: gradients, then the buffers' next values. */
  into: Float32Array;
  /** What the gradients of the batch's mean loss, and the buffers, are multiplied with before they are added. */
  weight: number;
  /** To be called with n when the first n elements of `into` have theirs, so that the exchange can begin. */
  ready?: ((end: number) => void) | undefined;
  /** The vector is as it was in the executor's call before: it need not travel again. */
  unchanged?: boolean | undefined;
}

export interface Executor {
  /**
   * Adds `weight` times the batch's gradients and next buffers to `into`.
   * @param vector parameters and buffers in the layout's order; only read, and not kept after the call
   * @throws Error with the runtime's message
   */
  gradients(vector: Float32Array, batch: Batch, sink: GradientSink): Promise<BatchLoss>;
  /** @param unchanged as in `GradientSink` */
  evaluate(vector: Float32Array, batch: Batch, unchanged?: boolean): Promise<BatchLoss>;
}
