/** @file Which runner may do a task, and whose turn it is. */
import type { RunnerInfo, TaskKind, TaskNeeds } from "../../runner/protocol.ts";

/** True when a runner has what a task asks for. */
export function fits(info: RunnerInfo, kind: TaskKind, needs: TaskNeeds): boolean {
  const { backends, features, model_bytes } = needs;
  const has = info.adapter?.features ?? [];
  return (
    info.kinds.includes(kind) &&
    (backends === undefined || backends.some((backend) => info.backends.includes(backend))) &&
    (features === undefined || features.every((feature) => has.includes(feature))) &&
    (model_bytes === undefined || model_bytes <= info.max_model_bytes)
  );
}

export interface Waiting {
  priority: number;
  group: string;
  /** Counts up. */
  order: number;
}

/**
 * The next of the waiting tasks: the highest priority, then the group that has the fewest running, then the oldest.
 * @param running tasks under way, by group
 */
export function nextInTurn<T extends Waiting>(
  waiting: Iterable<T>,
  running: ReadonlyMap<string, number>,
): T | undefined {
  let best: T | undefined;
  for (const task of waiting) if (!best || before(task, best, running)) best = task;
  return best;
}

function before(a: Waiting, b: Waiting, running: ReadonlyMap<string, number>): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  const [ofA, ofB] = [running.get(a.group) ?? 0, running.get(b.group) ?? 0];
  return ofA === ofB ? a.order < b.order : ofA < ofB;
}
