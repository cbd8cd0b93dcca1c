/**
 * @file One step of an optimizer on a contiguous stretch of parameters, in float32.
 *
 * Every element is computed from its own parameter, gradient and state alone, by the same operations in
 * the same order: so the result does not depend on how a vector is cut into segments.
 */
import type { Arena } from "../kernels/arena.ts";
import type { OptimizerSettings } from "./optimizer-options.ts";
import { adam } from "./optimizers/adam.ts";
import { lion } from "./optimizers/lion.ts";
import { sgd } from "./optimizers/sgd.ts";

export interface OptimizerStep {
  /** After the schedule. */
  learningRate: number;
  /** From 0: the optimizer's first step. */
  step: number;
  /** 0 for parameters that are not to decay. */
  weightDecay: number;
}

export interface Optimizer {
  /** Names of the state vectors, each as long as the parameters; all start as zeros. */
  readonly slots: readonly string[];
  /**
   * Updates parameters and state in place.
   * @param state one vector per slot, as long as `parameters`
   */
  apply(
    parameters: Float32Array,
    gradients: Float32Array,
    state: readonly Float32Array[],
    step: OptimizerStep,
  ): void;
}

/** @param arena SIMD kernels; without them the same arithmetic in plain TypeScript, to the same bits */
export function makeOptimizer(settings: OptimizerSettings, arena?: Arena): Optimizer {
  switch (settings.type) {
    case "sgd":
      return sgd(settings, arena);
    case "adam":
    case "adamw":
      return adam(settings, arena);
    case "lion":
      return lion(settings, arena);
  }
}
