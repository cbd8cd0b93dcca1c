/** @file What a search tries and finds: candidates, what was measured of them, and which of them are worth having. */

/** A node whose weights a method compresses, and the bytes that this saves. */
export interface SearchNode {
  name: string;
  bytes: number;
}

export interface SearchMethod {
  /** `weight_only bits=4 block_size=32`, for whoever reads the result. */
  what: string;
  /** Of the whole model under it, planned. */
  bytes: number;
  /** Those that can be left as they are, in the graph's order. */
  nodes: readonly SearchNode[];
  /** Index of the method that can take the nodes that this one leaves out: 8 bits beside 4. */
  rest?: number | undefined;
}

/** A method on all nodes but some. */
export interface Candidate {
  /** Index into the methods. */
  method: number;
  /** By name. */
  excluded: readonly string[];
  /** Index of the method that then takes those; without it they stay as they are. */
  rest?: number | undefined;
}

export type Outcome =
  | { bytes: number; metric: number; latencyMs: number | null }
  /** It could not be made, or not measured. */
  | { refused: string };

export interface SearchGoal {
  /** How much worse than the original's the metric may be. */
  maxDrop: number;
  higherIsBetter: boolean;
  minimize: "bytes" | "latency";
  /** Measurements at most, the original's included. */
  maxEvaluations: number;
}

export interface Trial {
  /** `null`: the original. */
  candidate: Candidate | null;
  outcome: Outcome;
  /** How much worse than the original; below zero where it is better; `null` where it was not measured. */
  drop: number | null;
  /** It is within `maxDrop`. */
  meets: boolean;
}

export interface Found {
  /** In the order in which they were tried, the original first. */
  trials: Trial[];
  /** Index into the trials; `undefined` where nothing that is better than the original meets the goal. */
  best: number | undefined;
  /** Measurements ran out before the ideas did. */
  exhausted: boolean;
}

/** What is to be small; Infinity for what was not measured. */
export function costOf({ minimize }: Pick<SearchGoal, "minimize">, { outcome }: Trial): number {
  if ("refused" in outcome) return Infinity;
  return minimize === "bytes" ? outcome.bytes : (outcome.latencyMs ?? Infinity);
}

/** True for the trials that no other one beats in one respect without losing in the other: the trade-off curve. */
export function onCurve(goal: Pick<SearchGoal, "minimize">, trials: readonly Trial[]): boolean[] {
  const points = trials.map((trial) => ({ cost: costOf(goal, trial), drop: trial.drop }));
  return points.map((own, index) => {
    if (own.drop === null || own.cost === Infinity) return false;
    const { drop, cost } = own;
    return !points.some((other, each) => {
      if (other.drop === null || other.cost > cost || other.drop > drop) return false;
      return other.cost < cost || other.drop < drop || each < index;
    });
  });
}
