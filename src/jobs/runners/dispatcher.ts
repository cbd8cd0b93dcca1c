/**
 * @file Which task is with which runner: leases, tries, turns. The pool's object owns the lines and the clock.
 *
 * A lease is a number that counts up with each time a task is handed out. Every message about a task names it, so
 * what an earlier holder says later is told apart and refused.
 */
import { newId } from "../../store/id.ts";
import type { FromPool, RunnerInfo } from "../../runner/protocol.ts";
import { fits, nextInTurn } from "./matching.ts";
import type { PoolRecord, RunnerRow, TaskRow } from "./pool-record.ts";
import type { TaskOrder, TaskOutcome, TaskProgress } from "./task-order.ts";

/** A task that fails or is lost so often is at fault itself. */
export const MAX_TRIES = 3;
/** Refused results after which a runner is sent away. */
export const MAX_STRIKES = 3;
export const DEFAULT_TIMEOUT_MS = 10 * 60_000;

export interface Lines {
  /** Hands a task over; its addresses are signed for this lease. */
  hand(runner: string, order: TaskOrder, lease: number): void;
  send(runner: string, message: FromPool): void;
  /** Ends the line of a runner that is not trusted any more. */
  refuse(runner: string, reason: string): void;
}

export interface LiveRunner {
  row: RunnerRow;
  task: string | undefined;
}

interface Holder {
  task: string;
  lease: number;
}

export class Dispatcher {
  readonly #record: PoolRecord;
  readonly #lines: Lines;
  /** Connected ones. */
  readonly #runners = new Map<string, LiveRunner>();
  /** Queued and leased ones. */
  readonly #tasks = new Map<string, TaskRow>();
  /** How far leased tasks are; not worth storing. */
  readonly #progress = new Map<string, { fraction: number; doing: string }>();
  readonly #running = new Map<string, number>();
  readonly #waiters = new Map<string, Set<() => void>>();

  constructor(record: PoolRecord, lines: Lines) {
    this.#record = record;
    this.#lines = lines;
    for (const task of record.openTasks()) {
      this.#tasks.set(task.order.id, task);
      if (task.state === "leased") this.#count(task, 1);
    }
  }

  get runners(): ReadonlyMap<string, LiveRunner> {
    return this.#runners;
  }

  get leased(): TaskRow[] {
    return [...this.#tasks.values()].filter(({ state }) => state === "leased");
  }

  /** True when somebody is there that could do such a task. */
  canServe({ kind, needs }: Pick<TaskOrder, "kind" | "needs">): boolean {
    return [...this.#runners.values()].some(
      ({ row }) => !row.draining && fits(row.info, kind, needs),
    );
  }

  /** How many runners could do such a task at once: those that are free, and those that work for the same group. */
  spare({ kind, needs, group }: Pick<TaskOrder, "kind" | "needs" | "group">): number {
    return [...this.#runners.values()].filter((runner) => {
      if (runner.row.draining || !fits(runner.row.info, kind, needs)) return false;
      const { task } = runner;
      return task === undefined ? runner.row.ready : this.#tasks.get(task)?.order.group === group;
    }).length;
  }

  /** Queues a task, and hands it out if somebody is free; ordered twice, it is the same task. */
  submit(order: TaskOrder): void {
    const task = this.#record.addTask(order);
    if (!task) return;
    this.#tasks.set(order.id, task);
    let best: LiveRunner | undefined;
    for (const runner of this.#runners.values()) {
      if (!isFree(runner) || !fits(runner.row.info, order.kind, order.needs)) continue;
      // Whoever has had least to do.
      if (!best || runner.row.busyMs < best.row.busyMs) best = runner;
    }
    if (best) this.#lease(task, best);
  }

  cancel(id: string): void {
    const task = this.#tasks.get(id);
    if (!task) return;
    const { runner, lease } = task;
    const leased = task.state === "leased";
    this.#finish(task, { state: "canceled" });
    if (leased && runner) this.#stop(runner, { task: id, lease }, "the task was canceled");
  }

  progress(id: string): TaskProgress | undefined {
    const task = this.#tasks.get(id) ?? this.#record.task(id);
    if (!task) return undefined;
    const { state, runner, tries } = task;
    const { fraction, doing } = this.#progress.get(id) ?? { fraction: 0, doing: state };
    return { state, fraction, doing, runner, tries };
  }

  /** The outcome once there is one, or `undefined` after `timeoutMs` and for a task that is not known. */
  async wait(id: string, timeoutMs: number): Promise<TaskOutcome | undefined> {
    if (this.#tasks.has(id)) {
      await new Promise<void>((resolve) => {
        const waiters = this.#waiters.get(id) ?? new Set();
        this.#waiters.set(id, waiters.add(end));
        const timer = setTimeout(end, timeoutMs);
        function end() {
          clearTimeout(timer);
          waiters.delete(end);
          resolve();
        }
      });
    }
    return this.#record.task(id)?.outcome ?? undefined;
  }

  /**
   * A runner is there, new or again.
   * @returns its id, and whether the lease that it says it works on still holds
   */
  join(
    session: string,
    tokenId: string,
    info: RunnerInfo,
    working: Holder | null,
  ): { id: string; holds: boolean } {
    const known = this.#record.runnerOfSession(session);
    const now = Date.now();
    const row: RunnerRow = known
      ? { ...known, tokenId, info, seenAt: now, ready: false, draining: false }
      : {
          id: newId("runner"),
          session,
          tokenId,
          info,
          connectedAt: now,
          seenAt: now,
          tasksDone: 0,
          tasksFailed: 0,
          busyMs: 0,
          strikes: 0,
          ready: false,
          draining: false,
        };
    this.#record.saveRunner(row);
    const runner: LiveRunner = { row, task: undefined };
    this.#runners.set(row.id, runner);
    this.#record.log(row.id, null, known ? "connected again" : "connected");
    // What it holds by our books and it does not know of, is lost.
    for (const task of this.leased) {
      if (task.runner !== row.id) continue;
      if (working?.task === task.order.id && working.lease === task.lease) {
        runner.task = task.order.id;
      } else this.#requeue(task, "the runner came back without it");
    }
    return { id: row.id, holds: runner.task !== undefined };
  }

  /** A runner whose line outlived this object's last sleep: it is as it was. */
  resume(row: RunnerRow): void {
    const task = this.leased.find(({ runner }) => runner === row.id)?.order.id;
    this.#runners.set(row.id, { row, task });
  }

  /** A runner may be given something. */
  ready(id: string): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    if (!runner.row.ready) this.#save(runner, { ready: true });
    this.#feed(runner);
  }

  /** Nothing more for this runner. */
  drain(id: string): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#save(runner, { draining: true });
    this.#lines.send(id, { type: "drain" });
  }

  /** The line is gone. Its task stays with it, for a while, when the line may come back. */
  leave(id: string, mayReturn: boolean): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#runners.delete(id);
    this.#save(runner, { seenAt: Date.now() });
    this.#record.log(id, runner.task ?? null, mayReturn ? "the line broke" : "left");
    const task = runner.task === undefined ? undefined : this.#tasks.get(runner.task);
    if (task && !mayReturn) this.#requeue(task, "the runner left");
  }

  report(id: string, holder: Holder, progress: { fraction: number; doing: string }): void {
    const task = this.#held(id, holder);
    if (task) this.#progress.set(task.order.id, progress);
  }

  /** A result that was checked already. */
  done(id: string, holder: Holder, result: Record<string, unknown>): void {
    const task = this.#held(id, holder);
    if (!task) return;
    const runner = this.#free(id, task);
    if (runner) this.#save(runner, { tasksDone: runner.row.tasksDone + 1 });
    this.#finish(task, { state: "done", result, runner: id, tries: task.tries + 1 });
    if (runner) this.#feed(runner);
  }

  /** @param final another runner would fail too */
  failed(id: string, holder: Holder, message: string, final: boolean): void {
    const task = this.#held(id, holder);
    if (!task) return;
    const runner = this.#free(id, task);
    if (runner) this.#save(runner, { tasksFailed: runner.row.tasksFailed + 1 });
    this.#record.log(id, task.order.id, `failed: ${message}`);
    if (final) this.#finish(task, { state: "failed", message, tries: task.tries + 1 });
    else this.#requeue(task, message);
    if (runner) this.#feed(runner);
  }

  /** A result that was refused: the task goes to another, and the runner is counted. */
  strike(id: string, holder: Holder | undefined, reason: string): void {
    this.#record.log(id, holder?.task ?? null, `refused: ${reason}`);
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#save(runner, { strikes: runner.row.strikes + 1 });
    const task = holder && this.#held(id, holder);
    if (task) {
      this.#free(id, task);
      this.#requeue(task, `the result of ${id} was refused: ${reason}`);
    }
    if (runner.row.strikes >= MAX_STRIKES) this.#lines.refuse(id, `refused ${reason}`);
    else if (task) this.#feed(runner);
  }

  handBack(id: string, holder: Holder): void {
    const task = this.#held(id, holder);
    if (!task) return;
    const runner = this.#free(id, task);
    if (runner) this.#save(runner, { ready: false });
    this.#requeue(task, "handed back", false);
  }

  /** A lease whose time is over, or whose runner did not come back. */
  expire(task: TaskRow, reason: string): void {
    const holder = task.runner;
    if (holder && this.#runners.has(holder)) {
      this.#free(holder, task);
      this.#stop(holder, { task: task.order.id, lease: task.lease }, reason);
    }
    this.#requeue(task, reason);
  }

  /** A lease begins anew: who gets what the task is for sees that it is being done. */
  renew({ task: id, lease }: Holder): void {
    const task = this.#tasks.get(id);
    if (task?.state !== "leased" || task.lease !== lease) return;
    const now = Date.now();
    const runner = task.runner === null ? undefined : this.#runners.get(task.runner);
    if (runner) this.#save(runner, { busyMs: runner.row.busyMs + now - task.leasedAt });
    this.#store({ ...task, leasedAt: now });
  }

  /**
   * Takes a task from its runner, by the word of who gets what it is for.
   * @param isStrike the runner broke the rules, and is counted; else it was merely lost
   */
  takeBack({ task: id, lease }: Holder, reason: string, isStrike: boolean): void {
    const task = this.#tasks.get(id);
    const holder = task?.runner;
    if (!task || !holder || task.state !== "leased" || task.lease !== lease) return;
    if (isStrike) this.#record.log(holder, id, `refused: ${reason}`);
    const runner = this.#free(holder, task);
    if (runner) {
      if (isStrike) this.#save(runner, { strikes: runner.row.strikes + 1 });
      this.#stop(holder, { task: id, lease }, reason.slice(0, 200));
    }
    this.#requeue(task, reason);
    if (runner && runner.row.strikes >= MAX_STRIKES) this.#lines.refuse(holder, reason);
  }

  /** The order of a lease that the runner holds. */
  held(id: string, holder: Holder): TaskOrder | undefined {
    return this.#held(id, holder)?.order;
  }

  /** The task that the holder's lease is for; what is said of an older lease is logged and has no effect. */
  #held(id: string, { task: taskId, lease }: Holder): TaskRow | undefined {
    const task = this.#tasks.get(taskId);
    if (task?.state === "leased" && task.runner === id && task.lease === lease) return task;
    this.#record.log(id, taskId, `spoke of lease ${lease}, which it does not hold`);
    return undefined;
  }

  #lease(task: TaskRow, runner: LiveRunner): void {
    const { id } = runner.row;
    const lease = task.lease + 1;
    this.#store({ ...task, state: "leased", lease, runner: id, leasedAt: Date.now() });
    this.#count(task, 1);
    runner.task = task.order.id;
    this.#lines.hand(id, task.order, lease);
  }

  #feed(runner: LiveRunner): void {
    if (!isFree(runner)) return;
    const waiting = [];
    for (const task of this.#tasks.values()) {
      const { order, number, state } = task;
      if (state !== "queued" || !fits(runner.row.info, order.kind, order.needs)) continue;
      waiting.push({ task, priority: order.priority ?? 0, group: order.group, order: number });
    }
    const next = nextInTurn(waiting, this.#running);
    if (next) this.#lease(next.task, runner);
  }

  /** @param isTry false where nobody is to blame */
  #requeue(task: TaskRow, why: string, isTry = true): void {
    const { id } = task.order;
    this.#count(task, -1);
    this.#progress.delete(id);
    this.#record.log(task.runner, id, `taken back: ${why}`);
    const tries = task.tries + (isTry ? 1 : 0);
    const queued: TaskRow = { ...task, state: "queued", runner: null, tries };
    if (tries >= MAX_TRIES) {
      const message = `it was begun ${tries} times; the last time: ${why}`;
      return this.#finish(queued, { state: "failed", message, tries });
    }
    this.#store(queued);
    for (const runner of this.#runners.values()) {
      if (!isFree(runner) || runner.row.id === task.runner) continue;
      if (fits(runner.row.info, task.order.kind, task.order.needs)) {
        return this.#lease(queued, runner);
      }
    }
  }

  #finish(task: TaskRow, outcome: TaskOutcome): void {
    const { id } = task.order;
    if (task.state === "leased") this.#count(task, -1);
    const finished: TaskRow = { ...task, state: outcome.state, finishedAt: Date.now(), outcome };
    this.#record.saveTask(finished);
    this.#tasks.delete(id);
    this.#progress.delete(id);
    for (const resume of this.#waiters.get(id) ?? []) resume();
    this.#waiters.delete(id);
  }

  /** The runner, free again; its time with the task is counted. */
  #free(id: string, task: TaskRow): LiveRunner | undefined {
    const runner = this.#runners.get(id);
    if (!runner) return undefined;
    runner.task = undefined;
    this.#save(runner, { busyMs: runner.row.busyMs + Date.now() - task.leasedAt });
    return runner;
  }

  #stop(runner: string, holder: Holder, reason: string): void {
    const live = this.#runners.get(runner);
    if (live?.task === holder.task) live.task = undefined;
    // It says `ready` once it has stopped.
    if (live) this.#save(live, { ready: false });
    this.#lines.send(runner, { type: "stop", ...holder, reason });
  }

  #store(task: TaskRow): void {
    this.#tasks.set(task.order.id, task);
    this.#record.saveTask(task);
  }

  #save(runner: LiveRunner, change: Partial<RunnerRow>): void {
    runner.row = { ...runner.row, seenAt: Date.now(), ...change };
    this.#record.saveRunner(runner.row);
  }

  #count({ order: { group } }: TaskRow, by: number): void {
    const count = (this.#running.get(group) ?? 0) + by;
    if (count > 0) this.#running.set(group, count);
    else this.#running.delete(group);
  }
}

function isFree({ row: { ready, draining }, task }: LiveRunner): boolean {
  return ready && !draining && task === undefined;
}
