/** @file Lion (Chen et al. 2023): a step of fixed size along the sign of a moving average. */
import { lionStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";

export function lion({ betas: [beta1, beta2] }: OptimizerSettings): Optimizer {
  return {
    slots: ["exp_avg"],
    apply(parameters, gradients, [mean], { learningRate, weightDecay }) {
      if (!mean) return;
      lionStep(parameters, gradients, mean, {
        learningRate: Math.fround(learningRate),
        beta1: Math.fround(beta1),
        fresh1: Math.fround(1 - beta1),
        beta2: Math.fround(beta2),
        fresh2: Math.fround(1 - beta2),
        keep: Math.fround(1 - learningRate * weightDecay),
      });
    },
  };
}
