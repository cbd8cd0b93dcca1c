/**
 * @file The smallest (or fastest) model whose metric is close enough: every method on the whole model, then those
 * that would be better but go too far with the nodes left out that harm it most.
 *
 * What is tried next follows from what was measured alone, so that a search that is begun again with the same
 * answers asks the same questions.
 */
import { Refinement } from "./refinement.ts";
import { costOf, type Found, type SearchGoal, type SearchMethod, type Trial } from "./trial.ts";
import { type Measure, Trials } from "./trials.ts";

/** @throws RangeError when the original itself cannot be measured */
export async function search(
  goal: SearchGoal,
  methods: readonly SearchMethod[],
  measure: Measure,
): Promise<Found> {
  const trials = new Trials(goal, measure);
  const base = await trials.add(null);
  if (!base || "refused" in base.outcome) {
    const why =
      base && "refused" in base.outcome ? base.outcome.refused : "nothing may be measured";
    throw new RangeError(`search: the original was not measured: ${why}`);
  }
  const order = [...methods.keys()].sort(
    (a, b) => (methods[a]?.bytes ?? 0) - (methods[b]?.bytes ?? 0) || a - b,
  );
  const tooFar: Trial[] = [];
  for (const method of order) {
    const trial = await trials.add({ method, excluded: [] });
    if (trial && trial.drop !== null && !trial.meets) tooFar.push(trial);
  }
  const better = (trial: Trial) => costOf(goal, trial) < trials.bestCost();
  const promising = tooFar.filter(better).sort((a, b) => hope(goal, base, b) - hope(goal, base, a));
  for (const [index, trial] of promising.entries()) {
    if (!trial.candidate || !better(trial)) continue;
    const others = Math.floor(trials.left / ENOUGH) - 1;
    const sharing = 1 + Math.max(0, Math.min(others, promising.length - index - 1));
    const share = Math.ceil(trials.left / sharing);
    await new Refinement(trials, methods, trial.candidate.method, share).run();
  }
  return trials.found();
}

/** With fewer measurements a refinement finds little: then fewer methods are refined. */
const ENOUGH = 12;

/** What a method would save if as much of it were kept as of its drop is allowed. */
function hope(goal: SearchGoal, base: Trial, trial: Trial): number {
  const allowed = goal.maxDrop / Math.max(trial.drop ?? Infinity, goal.maxDrop, Number.MIN_VALUE);
  return (costOf(goal, base) - costOf(goal, trial)) * allowed;
}
