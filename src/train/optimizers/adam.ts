/** @file Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019), as torch.optim's. */
import type { Arena } from "../../kernels/arena.ts";
import { type AdamStep, adamStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer, OptimizerStep } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";
import { tiled } from "./tiles.ts";

export function adam(settings: OptimizerSettings, arena?: Arena): Optimizer {
  return {
    slots: ["exp_avg", "exp_avg_sq"],
    apply(p, g, [mean, square], step) {
      if (!mean || !square) return;
      const s = scalars(settings, step);
      if (!arena) return adamStep(p, g, mean, square, s);
      tiled(arena, [p, mean, square], [g], ([pAt = 0, mAt = 0, vAt = 0, gAt = 0], n) =>
        arena.kernels.adamStep(
          pAt,
          gAt,
          mAt,
          vAt,
          n,
          s.stepSize,
          s.fresh1,
          s.beta2,
          s.fresh2,
          s.correction2,
          s.eps,
          s.decay,
          s.keep,
        ),
      );
    },
  };
}

function scalars(
  { type, betas: [beta1, beta2], eps }: OptimizerSettings,
  { learningRate, weightDecay, step }: OptimizerStep,
): AdamStep {
  const decoupled = type === "adamw";
  const t = step + 1;
  return {
    stepSize: Math.fround(learningRate / (1 - beta1 ** t)),
    fresh1: Math.fround(1 - beta1),
    beta2: Math.fround(beta2),
    fresh2: Math.fround(1 - beta2),
    correction2: Math.fround(Math.sqrt(1 - beta2 ** t)),
    eps: Math.fround(eps),
    decay: decoupled ? 0 : Math.fround(weightDecay),
    keep: decoupled ? Math.fround(1 - learningRate * weightDecay) : 1,
  };
}
