/** @file Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019), as torch.optim's. */
import { adamStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";

export function adam({ type, betas: [beta1, beta2], eps }: OptimizerSettings): Optimizer {
  const decoupled = type === "adamw";
  return {
    slots: ["exp_avg", "exp_avg_sq"],
    apply(parameters, gradients, [mean, square], { learningRate, weightDecay, step }) {
      if (!mean || !square) return;
      const t = step + 1;
      adamStep(parameters, gradients, mean, square, {
        stepSize: Math.fround(learningRate / (1 - beta1 ** t)),
        fresh1: Math.fround(1 - beta1),
        beta2: Math.fround(beta2),
        fresh2: Math.fround(1 - beta2),
        correction2: Math.fround(Math.sqrt(1 - beta2 ** t)),
        eps: Math.fround(eps),
        decay: decoupled ? 0 : Math.fround(weightDecay),
        keep: decoupled ? Math.fround(1 - learningRate * weightDecay) : 1,
      });
    },
  };
}
