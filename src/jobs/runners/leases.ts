/** @file A task's way to a runner and back: handed out by turns, taken back, tried again, given up. */
import type { FromPool } from "../../runner/protocol.ts";
import { isFree, type LiveRunner, type LiveRunners } from "./live-runners.ts";
import { fits } from "./matching.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { PoolRecord, TaskRow } from "./pool-record.ts";
import type { TaskOrder } from "./task-order.ts";
import { nextInTurn, toGiveWay } from "./turns.ts";

/** A task that fails or is lost so often is at fault itself. */
const MAX_TRIES = 3;
/** What a runner has to end what it was stopped in, before others are asked for theirs. */
const COMING_MS = 3_000;

export interface Lines {
  /** Hands a task over; its addresses are signed for this lease. */
  hand(runner: string, order: TaskOrder, lease: number): void;
  send(runner: string, message: FromPool): void;
  /** Asks the rank that a lease is for to end the task when its step is done. */
  askBack(order: TaskOrder, lease: number): void;
  /** Ends the line of a runner that is not trusted any more. */
  refuse(runner: string, reason: string): void;
}

export interface Holder {
  task: string;
  lease: number;
}

export class Leases {
  readonly #record: PoolRecord;
  readonly #lines: Lines;
  readonly #runners: LiveRunners;
  readonly #tasks: OpenTasks;
  /** Leases that were asked back and are not back yet, by task. */
  readonly #asked = new Map<string, { lease: number; waiting: string }>();

  constructor(record: PoolRecord, lines: Lines, runners: LiveRunners, tasks: OpenTasks) {
    this.#record = record;
    this.#lines = lines;
    this.#runners = runners;
    this.#tasks = tasks;
  }

  /** The task that the holder's lease is for; what is said of an older lease is logged and has no effect. */
  held(runner: string, { task: id, lease }: Holder): TaskRow | undefined {
    const task = this.#tasks.get(id);
    if (task?.state === "leased" && task.runner === runner && task.lease === lease) return task;
    this.#record.log(runner, id, `spoke of lease ${lease}, which it does not hold`);
    return undefined;
  }

  give(task: TaskRow, runner: LiveRunner): void {
    const { id } = runner.row;
    const lease = task.lease + 1;
    this.#tasks.store({ ...task, state: "leased", lease, runner: id, leasedAt: Date.now() });
    runner.task = task.order.id;
    this.#lines.hand(id, task.order, lease);
  }

  /** Gives a runner, if it is free, the task whose turn it is. */
  feed(runner: LiveRunner): void {
    if (!isFree(runner)) return;
    const waiting = [];
    for (const task of this.#tasks.queued) {
      const { order, number } = task;
      if (!fits(runner.row.info, order.kind, order.needs)) continue;
      waiting.push({ task, priority: order.priority ?? 0, group: order.group, order: number });
    }
    const next = nextInTurn(waiting, this.#tasks.running);
    if (next) this.give(next.task, runner);
  }

  /** Asks for a lease on behalf of each task that waits, and cannot do without a runner. */
  askBack(): void {
    for (const [id, { lease }] of this.#asked) {
      const task = this.#tasks.get(id);
      if (task?.state !== "leased" || task.lease !== lease) this.#asked.delete(id);
    }
    const served = new Set([...this.#asked.values()].map(({ waiting }) => waiting));
    const coming = new Set<string>();
    for (const task of this.#tasks.queued) {
      if (task.order.patient || served.has(task.order.id)) continue;
      const fitting = this.#runners.fitting(task.order);
      const next = fitting.find((runner) => isComing(runner) && !coming.has(runner.row.id));
      if (next) coming.add(next.row.id);
      else this.#askFor(task, new Set(fitting.map(({ row }) => row.id)));
    }
  }

  #askFor(waiting: TaskRow, fitting: ReadonlySet<string>): void {
    const leases = this.#tasks.leased.filter(
      ({ order, runner }) => fitting.has(runner ?? "") && !this.#asked.has(order.id),
    );
    const found = toGiveWay(waiting, leases, this.#tasks.running);
    if (!found) return;
    const { order, lease } = found;
    this.#asked.set(order.id, { lease, waiting: waiting.order.id });
    this.#lines.askBack(order, lease);
  }

  /** @param isTry false where nobody is to blame */
  requeue(task: TaskRow, why: string, isTry = true): void {
    this.#record.log(task.runner, task.order.id, `taken back: ${why}`);
    const tries = task.tries + (isTry ? 1 : 0);
    const queued: TaskRow = { ...task, state: "queued", runner: null, tries };
    if (tries >= MAX_TRIES) {
      const message = `it was begun ${tries} times; the last time: ${why}`;
      return this.#tasks.finish(queued, { state: "failed", message, tries });
    }
    this.#tasks.store(queued);
    const next = this.#runners.freeFor(task.order, task.runner);
    if (next) this.give(queued, next);
  }

  /** The runner, free again; its time with the task is counted. */
  free(id: string, task: TaskRow): LiveRunner | undefined {
    const runner = this.#runners.get(id);
    if (!runner) return undefined;
    runner.task = undefined;
    this.#runners.save(runner, { busyMs: runner.row.busyMs + Date.now() - task.leasedAt });
    return runner;
  }

  stop(runner: string, holder: Holder, reason: string): void {
    const live = this.#runners.get(runner);
    if (live?.task === holder.task) live.task = undefined;
    // It says `ready` once it has stopped.
    if (live) this.#runners.save(live, { ready: false });
    this.#lines.send(runner, { type: "stop", ...holder, reason });
  }
}

/** It has stopped what it did, and will say that it is ready. */
function isComing({ row, task }: LiveRunner): boolean {
  return task === undefined && Date.now() - row.seenAt < COMING_MS;
}
