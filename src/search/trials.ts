/** @file All that a search has measured, within its budget; nothing is measured twice. */
import {
  type Candidate,
  costOf,
  type Found,
  type Outcome,
  type SearchGoal,
  type Trial,
} from "./trial.ts";

/** 0.93 − 0.92 is a little more than 0.01. */
const ROUNDING = 1e-9;

/** @param candidate `null`: the original */
export type Measure = (candidate: Candidate | null) => Promise<Outcome>;

export class Trials {
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

  /**
   * `undefined` when nothing more may be measured. What was measured before is not measured again.
   * @param reserved measurements that are for others
   */
  async add(candidate: Candidate | null, reserved = 0): Promise<Trial | undefined> {
    const known = this.known(candidate);
    if (known) return known;
    if (this.left <= reserved) {
      this.#exhausted = true;
      return undefined;
    }
    const outcome = await this.#measure(candidate);
    const drop = this.#drop(outcome);
    const meets = drop !== null && drop <= this.goal.maxDrop + ROUNDING;
    const trial: Trial = { candidate, outcome, drop, meets };
    this.#trials.push(trial);
    this.#known.set(keyOf(candidate), trial);
    return trial;
  }

  known(candidate: Candidate | null): Trial | undefined {
    return this.#known.get(keyOf(candidate));
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

  /** A candidate that saves no more than this is none to measure. */
  savedByBest(): number {
    const best = this.#trials[this.#best() ?? 0];
    return best && this.goal.minimize === "bytes" ? this.saved(best) : 0;
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

function keyOf(candidate: Candidate | null): string {
  if (candidate === null) return "";
  const { method, rest = "", excluded } = candidate;
  return `${method} ${rest} ${excluded.join("\0")}`;
}
