/** @file Lion (Chen et al. 2023): a step of fixed size along the sign of a moving average. */
import type { Arena } from "../../kernels/arena.ts";
import { lionStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";
import { tiled } from "./tiles.ts";

export function lion({ betas: [beta1, beta2] }: OptimizerSettings, arena?: Arena): Optimizer {
  return {
    slots: ["exp_avg"],
    apply(p, g, [mean], { learningRate, weightDecay }) {
      if (!mean) return;
      const s = {
        learningRate: Math.fround(learningRate),
        beta1: Math.fround(beta1),
        fresh1: Math.fround(1 - beta1),
        beta2: Math.fround(beta2),
        fresh2: Math.fround(1 - beta2),
        keep: Math.fround(1 - learningRate * weightDecay),
      };
      if (!arena) return lionStep(p, g, mean, s);
      tiled(arena, [p, mean], [g], ([pAt = 0, mAt = 0, gAt = 0], n) =>
        arena.kernels.lionStep(
          pAt,
          gAt,
          mAt,
          n,
          s.learningRate,
          s.beta1,
          s.fresh1,
          s.beta2,
          s.fresh2,
          s.keep,
        ),
      );
    },
  };
}
