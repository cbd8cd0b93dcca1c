/**
 * @file Learning rate schedules, as torch.optim.lr_scheduler (StepLR) and Hugging Face's get_scheduler
 * (constant, cosine, linear, each with warm-up) define them, in closed form.
 */
import type { ScheduleSettings } from "./optimizer-options.ts";

/**
 * The learning rate of a step.
 * @param lr the optimizer's learning rate
 * @param step from 0
 * @param total steps of the whole training
 */
export function learningRate(
  schedule: ScheduleSettings,
  lr: number,
  step: number,
  total: number,
): number {
  const warmup = schedule.warmupSteps;
  if (step < warmup) return (lr * step) / warmup;
  if (schedule.type === "constant") return lr;
  const after = step - warmup;
  if (schedule.type === "step") {
    const size = schedule.stepSize ?? Math.max(1, Math.ceil(total / 3));
    return lr * schedule.gamma ** Math.floor(after / size);
  }
  // 1 at the warm-up's end, 0 after the last step
  const left = Math.max(0, (total - step) / Math.max(1, total - warmup));
  const share = schedule.type === "linear" ? left : 0.5 * (1 + Math.cos(Math.PI * (1 - left)));
  return schedule.minLr + (lr - schedule.minLr) * share;
}
