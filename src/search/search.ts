/**
 * @file The smallest (or fastest) model whose metric is close enough: every method on the whole model, then those
 * that would be better but go too far with the nodes left out that harm it most.
 *
 * What is tried next follows from what was measured alone, so that a search that is begun again with the same
 * answers asks the same questions.
 */
import { grouped, groupCount, halves } from "./groups.ts";
import {
  type Candidate,
  costOf,
  type Found,
  type Outcome,
  type SearchGoal,
  type SearchMethod,
  type SearchNode,
  type Trial,
} from "./trial.ts";

/** 0.93 − 0.92 is a little more than 0.01. */
const ROUNDING = 1e-9;

/** @param candidate `null`: the original */
export type Measure = (candidate: Candidate | null) => Promise<Outcome>;

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
  const tooFar: { method: number; trial: Trial }[] = [];
  for (const method of order) {
    const trial = await trials.add({ method, excluded: [] });
    if (trial && trial.drop !== null && !trial.meets) tooFar.push({ method, trial });
  }
  tooFar.sort((a, b) => costOf(goal, a.trial) - costOf(goal, b.trial));
  for (const [index, { method, trial }] of tooFar.entries()) {
    if (costOf(goal, trial) >= trials.bestCost()) break;
    await new Refinement(trials, method, methods[method]?.nodes ?? []).run(
      Math.ceil(trials.left / (tooFar.length - index)),
    );
  }
  return trials.found();
}

class Trials {
  readonly goal: SearchGoal;
  readonly #measure: Measure;
  readonly #trials: Trial[] = [];
  readonly #known = new Map<string, Trial>();
  #exhausted = false;

  constructor(goal: SearchGoal, measure: Measure) {
    this.goal = goal;
    this.#measure = measure;
  }

  /** How many more measurements there may be. */
  get left(): number {
    return this.goal.maxEvaluations - this.#trials.length;
  }

  /** `undefined` when nothing more may be measured. What was measured before is not measured again. */
  async add(candidate: Candidate | null): Promise<Trial | undefined> {
    const key = candidate === null ? "" : `${candidate.method} ${candidate.excluded.join("\0")}`;
    const known = this.#known.get(key);
    if (known) return known;
    if (this.left <= 0) {
      this.#exhausted = true;
      return undefined;
    }
    const outcome = await this.#measure(candidate);
    const drop = this.#drop(outcome);
    const meets = drop !== null && drop <= this.goal.maxDrop + ROUNDING;
    const trial: Trial = { candidate, outcome, drop, meets };
    this.#trials.push(trial);
    this.#known.set(key, trial);
    return trial;
  }

  #drop(outcome: Outcome): number | null {
    if ("refused" in outcome) return null;
    const base = this.#trials[0]?.outcome ?? outcome;
    if ("refused" in base) return null;
    const worse = this.goal.higherIsBetter
      ? base.metric - outcome.metric
      : outcome.metric - base.metric;
    return worse;
  }

  #best(): number | undefined {
    let best = 0;
    for (const [index, trial] of this.#trials.entries()) {
      const [own, least] = [trial, this.#trials[best]];
      if (!least || !own.meets) continue;
      const gain = costOf(this.goal, least) - costOf(this.goal, own);
      const closer = best !== 0 && gain === 0 && (own.drop ?? 0) < (least.drop ?? 0);
      if (gain > 0 || closer) best = index;
    }
    return best === 0 ? undefined : best;
  }

  /** What a candidate has to beat. */
  bestCost(): number {
    const best = this.#trials[this.#best() ?? 0];
    return best ? costOf(this.goal, best) : Infinity;
  }

  /** Bytes that a candidate saves. */
  saved({ outcome }: Trial): number {
    const base = this.#trials[0]?.outcome;
    if (!base || "refused" in base || "refused" in outcome) return 0;
    return base.bytes - outcome.bytes;
  }

  found(): Found {
    return { trials: this.#trials, best: this.#best(), exhausted: this.#exhausted };
  }
}

/**
 * One method on a part of the nodes. First each group of nodes alone, which says what it costs, also where the whole
 * is so far off that leaving out one group shows nothing. Then groups are taken in, from the one that costs least for
 * what it saves, as many as the goal allows (by bisection), and at last a part of the group that is too much.
 */
class Refinement {
  readonly #trials: Trials;
  readonly #method: number;
  readonly #nodes: readonly SearchNode[];

  constructor(trials: Trials, method: number, nodes: readonly SearchNode[]) {
    this.#trials = trials;
    this.#method = method;
    this.#nodes = nodes;
  }

  /** @param evaluations at most so many, of what is left */
  async run(evaluations: number): Promise<void> {
    const count = groupCount(this.#nodes.length, evaluations);
    if (count < 2) return;
    const until = this.#trials.left - evaluations;
    const sensitive = [];
    for (const group of grouped(this.#nodes, count)) {
      const trial = await this.#only(group);
      if (!trial) return;
      const saved = this.#trials.saved(trial);
      if (trial.drop === null || saved <= 0) continue;
      sensitive.push({ group, cost: Math.max(trial.drop, 0) / saved, saved });
    }
    sensitive.sort((a, b) => a.cost - b.cost || b.saved - a.saved);
    const groups = sensitive.map(({ group }) => group);
    const taken = await this.#mostThatMeet(groups, count);
    if (taken === undefined) return;
    let kept = groups.slice(0, taken).flat();
    let next = groups[taken] ?? [];
    while (next.length > 1 && this.#trials.left > until) {
      const [first, second] = halves(next);
      const withFirst = await this.#only([...kept, ...first]);
      if (withFirst?.meets) {
        kept = [...kept, ...first];
        next = second;
        continue;
      }
      next = first;
      if (this.#trials.left <= until) return;
      const withSecond = await this.#only([...kept, ...second]);
      if (withSecond?.meets) kept = [...kept, ...second];
    }
  }

  /** How many of the first groups together still meet the goal; `undefined` when nothing more may be measured. */
  async #mostThatMeet(groups: readonly SearchNode[][], all: number): Promise<number | undefined> {
    let least = 0;
    // All of them together were the method on the whole model.
    let most = groups.length === all ? all : groups.length + 1;
    while (most - least > 1) {
      const middle = Math.floor((least + most) / 2);
      const trial = await this.#only(groups.slice(0, middle).flat());
      if (!trial) return undefined;
      if (trial.meets) least = middle;
      else most = middle;
    }
    return least;
  }

  async #only(nodes: readonly SearchNode[]): Promise<Trial | undefined> {
    const names = new Set(nodes.map(({ name }) => name));
    const excluded = this.#nodes.filter(({ name }) => !names.has(name)).map(({ name }) => name);
    return await this.#trials.add({ method: this.#method, excluded });
  }
}
