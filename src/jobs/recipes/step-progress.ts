/** @file How far an optimization is, from how far its steps are. Those of a search come one by one. */
import type { OptimizeOrder, OptimizeView, StepProgress } from "./recipe.ts";
import { stepsOfSearch } from "./search-order.ts";

export function withStep(
  { goal }: Pick<OptimizeOrder, "goal">,
  progress: OptimizeView["progress"],
  index: number,
  change: Partial<StepProgress>,
): OptimizeView["progress"] {
  const steps = [...progress.steps];
  const waiting = { op: "quantize", state: "waiting", job_id: null, fraction: 0 } as const;
  const changed: StepProgress = { ...waiting, doing: "waiting", ...steps[index], ...change };
  steps[index] = changed;
  const done = steps.reduce((sum, step) => sum + step.fraction, 0);
  const fraction = Math.min(1, done / (goal ? stepsOfSearch(goal) : steps.length));
  const { op, of, doing } = changed;
  return { fraction, doing: `${of === undefined ? op : `${of}: ${op}`}: ${doing}`, steps };
}
