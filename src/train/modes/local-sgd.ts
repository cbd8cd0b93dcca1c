/** @file Local SGD: each rank takes H steps alone, then all take an outer step on the mean of their differences. */
import type { Codec } from "../../collectives/codecs/codec.ts";
import type { Collective } from "../../collectives/collective.ts";
import type { Trainer, TrainerOptions } from "./trainer.ts";

export interface LocalSgdOptions extends TrainerOptions {
  collective: Collective;
  /** H: steps between two exchanges. */
  localSteps: number;
  /** Learning rate of the outer step (DiLoCo: 0.7; 1 without momentum is parameter averaging). */
  outerLearningRate: number;
  /** Nesterov momentum of the outer step (DiLoCo: 0.9). */
  outerMomentum: number;
  codec?: Codec | undefined;
}

export function localSgdTrainer(_options: LocalSgdOptions): Trainer {
  throw new Error("train: local_sgd is not here yet");
}
