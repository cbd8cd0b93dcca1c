/** @file Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as torch.optim.SGD. */
import type { Arena } from "../../kernels/arena.ts";
import { sgdMomentumStep, sgdStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";
import { tiled } from "./tiles.ts";

export function sgd(settings: OptimizerSettings, arena?: Arena): Optimizer {
  return settings.momentum === 0 ? plain(arena) : withMomentum(settings, arena);
}

function plain(arena: Arena | undefined): Optimizer {
  return {
    slots: [],
    apply(p, g, _state, step) {
      const learningRate = Math.fround(step.learningRate);
      const decay = Math.fround(step.weightDecay);
      if (!arena) return sgdStep(p, g, { learningRate, decay });
      tiled(arena, [p], [g], ([pAt = 0, gAt = 0], n) =>
        arena.kernels.sgdStep(pAt, gAt, n, learningRate, decay),
      );
    },
  };
}

function withMomentum(
  { momentum, dampening, nesterov }: OptimizerSettings,
  arena: Arena | undefined,
): Optimizer {
  return {
    slots: ["momentum_buffer"],
    apply(p, g, [buffer], step) {
      if (!buffer) return;
      const scalars = {
        learningRate: Math.fround(step.learningRate),
        decay: Math.fround(step.weightDecay),
        momentum: Math.fround(momentum),
        // torch starts the buffer with the whole first gradient
        fresh: step.step === 0 ? 1 : Math.fround(1 - dampening),
        nesterov,
      };
      if (!arena) return sgdMomentumStep(p, g, buffer, scalars);
      const { learningRate, decay, fresh } = scalars;
      tiled(arena, [p, buffer], [g], ([pAt = 0, bAt = 0, gAt = 0], n) =>
        arena.kernels.sgdMomentumStep(
          pAt,
          gAt,
          bAt,
          n,
          learningRate,
          decay,
          scalars.momentum,
          fresh,
          Number(nesterov),
        ),
      );
    },
  };
}
