/** @file One method on a part of the nodes: which of them it may have, by what each of them costs alone. */
import { grouped, groupCount, halves } from "./groups.ts";
import type { SearchMethod, SearchNode, Trial } from "./trial.ts";
import type { Trials } from "./trials.ts";

interface Group {
  nodes: readonly SearchNode[];
  /** What is lost by it alone, for each byte that it saves. */
  cost: number;
  saved: number;
}

/**
 * One method on a part of the nodes. First each group of nodes alone, which says what it costs, also where the whole
 * is so far off that leaving out one group shows nothing. Then groups are taken in, from the one that costs least for
 * what it saves, as many as the goal allows (by bisection), and at last a part of the group that is too much. Where
 * another method is close enough on the whole model, it takes the other groups first: they are small then, too.
 */
export class Refinement {
  readonly #trials: Trials;
  readonly #method: number;
  readonly #nodes: readonly SearchNode[];
  readonly #rest: number | undefined;
  readonly #evaluations: number;
  /** Measurements that are for others. */
  readonly #reserved: number;

  /** @param evaluations at most so many, of what is left */
  constructor(
    trials: Trials,
    methods: readonly SearchMethod[],
    method: number,
    evaluations: number,
  ) {
    const { nodes = [], rest } = methods[method] ?? {};
    this.#trials = trials;
    this.#method = method;
    this.#nodes = nodes;
    const whole = rest === undefined ? undefined : trials.known({ method: rest, excluded: [] });
    this.#rest = whole?.meets ? rest : undefined;
    this.#evaluations = evaluations;
    this.#reserved = trials.left - evaluations;
  }

  async run(): Promise<void> {
    const count = groupCount(this.#nodes.length, this.#evaluations);
    if (count < 2) return;
    const groups: Group[] = [];
    for (const nodes of grouped(this.#nodes, count)) {
      const trial = await this.#only(nodes);
      if (!trial) return;
      const saved = this.#trials.saved(trial);
      if (trial.drop === null || saved <= 0) continue;
      groups.push({ nodes, cost: Math.max(trial.drop, 0) / saved, saved });
    }
    groups.sort((a, b) => a.cost - b.cost || b.saved - a.saved);
    // All of them together were the method on the whole model.
    const most = groups.length === count ? count : groups.length + 1;
    if (this.#rest !== undefined) await this.#take(groups, 0, most, this.#rest);
    let [least, saved] = [0, 0];
    while (
      least < groups.length &&
      saved + (groups[least]?.saved ?? 0) <= this.#trials.savedByBest()
    )
      saved += groups[least++]?.saved ?? 0;
    await this.#take(groups, least, most);
  }

  /**
   * As many of the first groups as together still meet the goal, and a part of the next.
   * @param least so many are not worth a measurement
   * @param most so many are too many
   */
  async #take(groups: readonly Group[], least: number, most: number, rest?: number): Promise<void> {
    const first = (count: number) => groups.slice(0, count).flatMap(({ nodes }) => nodes);
    let taken = least;
    while (most - taken > 1) {
      const middle = Math.floor((taken + most) / 2);
      const trial = await this.#only(first(middle), rest);
      if (!trial) return;
      if (trial.meets) taken = middle;
      else most = middle;
    }
    if (taken > least || least === 0) {
      await this.#halve(first(taken), groups[taken]?.nodes ?? [], rest);
    }
  }

  async #halve(
    kept: readonly SearchNode[],
    next: readonly SearchNode[],
    rest: number | undefined,
  ): Promise<void> {
    while (next.length > 1) {
      const [first, second] = halves(next);
      const withFirst = await this.#only([...kept, ...first], rest);
      if (!withFirst) return;
      if (withFirst.meets) {
        kept = [...kept, ...first];
        next = second;
        continue;
      }
      next = first;
      const withSecond = await this.#only([...kept, ...second], rest);
      if (!withSecond) return;
      if (withSecond.meets) kept = [...kept, ...second];
    }
  }

  async #only(nodes: readonly SearchNode[], rest?: number): Promise<Trial | undefined> {
    const names = new Set(nodes.map(({ name }) => name));
    const excluded = this.#nodes.filter(({ name }) => !names.has(name)).map(({ name }) => name);
    const candidate = { method: this.#method, excluded, ...(rest === undefined ? {} : { rest }) };
    return await this.#trials.add(candidate, this.#reserved);
  }
}
