/** @file Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as torch.optim.SGD. */
import { sgdMomentumStep, sgdStep } from "../../kernels/reference/optimizers.ts";
import type { Optimizer } from "../optimizer.ts";
import type { OptimizerSettings } from "../optimizer-options.ts";

export function sgd({ momentum, dampening, nesterov }: OptimizerSettings): Optimizer {
  if (momentum === 0) {
    return {
      slots: [],
      apply(parameters, gradients, _state, { learningRate, weightDecay }) {
        const scalars = {
          learningRate: Math.fround(learningRate),
          decay: Math.fround(weightDecay),
        };
        sgdStep(parameters, gradients, scalars);
      },
    };
  }
  return {
    slots: ["momentum_buffer"],
    apply(parameters, gradients, [buffer], { learningRate, weightDecay, step }) {
      if (!buffer) return;
      sgdMomentumStep(parameters, gradients, buffer, {
        learningRate: Math.fround(learningRate),
        decay: Math.fround(weightDecay),
        momentum: Math.fround(momentum),
        // torch starts the buffer with the whole first gradient
        fresh: step === 0 ? 1 : Math.fround(1 - dampening),
        nesterov,
      });
    },
  };
}
