/**
 * @file Whose turn it is. A rank's lease has no end of its own, so the pool asks for it back where somebody waits in vain;
 * the rank lets go of it between two steps and goes to the end of the queue. So nobody keeps what others need: jobs
 * that hold half of what each wants get the whole of it in turns.
 */
import type { TaskRow } from "./pool-record.ts";

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

/**
 * The lease to ask for on behalf of a task that waits: that of the group that has most, of these the oldest. Another group
 * is asked only while it has more, the own one always, since its ranks wait for each other.
 * @param leases those whose runners would do for the task
 */
export function toGiveWay(
  { order }: TaskRow,
  leases: Iterable<TaskRow>,
  running: ReadonlyMap<string, number>,
): TaskRow | undefined {
  const of = (group: string) => running.get(group) ?? 0;
  let best: TaskRow | undefined;
  for (const lease of leases) {
    const { group, rank, priority = 0 } = lease.order;
    const isAsked = group === order.group || of(group) > of(order.group);
    if (rank === undefined || !isAsked || priority > (order.priority ?? 0)) continue;
    const isBetter =
      !best ||
      of(group) > of(best.order.group) ||
      (of(group) === of(best.order.group) && lease.leasedAt < best.leasedAt);
    if (isBetter) best = lease;
  }
  return best;
}
