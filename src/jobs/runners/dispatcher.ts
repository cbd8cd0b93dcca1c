/**
 * @file Which task is with which runner: leases, tries, turns. The pool's object owns the lines and the clock.
 *
 * A lease is a number that counts up with each time a task is handed out. Every message about a task names it, so
 * what an earlier holder says later is told apart and refused.
 */
import type { RunnerInfo } from "../../runner/protocol.ts";
import { type Holder, Leases, type Lines } from "./leases.ts";
import { type LiveRunner, LiveRunners } from "./live-runners.ts";
import { OpenTasks } from "./open-tasks.ts";
import type { PoolRecord, RunnerRow, TaskRow } from "./pool-record.ts";
import type { TaskOrder, TaskOutcome, TaskProgress } from "./task-order.ts";

/** Refused results after which a runner is sent away. */
const MAX_STRIKES = 3;
export const DEFAULT_TIMEOUT_MS = 10 * 60_000;

export class Dispatcher {
  readonly #record: PoolRecord;
  readonly #lines: Lines;
  readonly #runners: LiveRunners;
  readonly #tasks: OpenTasks;
  readonly #leases: Leases;

  constructor(record: PoolRecord, lines: Lines) {
    this.#record = record;
    this.#lines = lines;
    this.#runners = new LiveRunners(record);
    this.#tasks = new OpenTasks(record);
    this.#leases = new Leases(record, lines, this.#runners, this.#tasks);
  }

  get runners(): ReadonlyMap<string, LiveRunner> {
    return this.#runners.byId;
  }

  get leased(): TaskRow[] {
    return this.#tasks.leased;
  }

  /** True when somebody is there that could do such a task. */
  canServe(wanted: Pick<TaskOrder, "kind" | "needs">): boolean {
    return this.#runners.fitting(wanted).length > 0;
  }

  /** How many runners could do such tasks, and how many of them at once: free ones, and those of the same group. */
  spare(wanted: Pick<TaskOrder, "kind" | "needs" | "group">): { fitting: number; free: number } {
    const fitting = this.#runners.fitting(wanted);
    const free = fitting.filter(({ row, task }) =>
      task === undefined ? row.ready : this.#tasks.get(task)?.order.group === wanted.group,
    );
    return { fitting: fitting.length, free: free.length };
  }

  /** Queues a task, and hands it out if somebody is free; ordered twice, it is the same task. */
  submit(order: TaskOrder): void {
    const task = this.#tasks.add(order);
    const runner = task && this.#runners.freeFor(order);
    if (runner) this.#leases.give(task, runner);
  }

  cancel(id: string): void {
    const task = this.#tasks.get(id);
    if (!task) return;
    const { runner, lease } = task;
    const leased = task.state === "leased";
    this.#tasks.finish(task, { state: "canceled" });
    if (leased && runner) this.#leases.stop(runner, { task: id, lease }, "the task was canceled");
  }

  progress(id: string): TaskProgress | undefined {
    return this.#tasks.progress(id);
  }

  async wait(id: string, timeoutMs: number): Promise<TaskOutcome | undefined> {
    return await this.#tasks.wait(id, timeoutMs);
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
    const runner = this.#runners.join(session, tokenId, info);
    const { row } = runner;
    // What it holds by our books and it does not know of, is lost.
    for (const task of this.leased) {
      if (task.runner !== row.id) continue;
      if (working?.task === task.order.id && working.lease === task.lease) {
        runner.task = task.order.id;
      } else this.#leases.requeue(task, "the runner came back without it");
    }
    return { id: row.id, holds: runner.task !== undefined };
  }

  /** A runner whose line outlived this object's last sleep: it is as it was. */
  resume(row: RunnerRow): void {
    const task = this.leased.find(({ runner }) => runner === row.id)?.order.id;
    this.#runners.resume(row, task);
  }

  /** A runner may be given something. */
  ready(id: string): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    if (!runner.row.ready) this.#runners.save(runner, { ready: true });
    this.#leases.feed(runner);
  }

  /** Nothing more for this runner: it finishes its task, or its step where that is a rank's, which may last for days. */
  drain(id: string): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#runners.save(runner, { draining: true });
    this.#lines.send(id, { type: "drain" });
    const task = runner.task === undefined ? undefined : this.#tasks.get(runner.task);
    if (task?.order.rank !== undefined) this.#lines.askBack(task.order, task.lease);
  }

  /** The line is gone. Its task stays with it, for a while, when the line may come back. */
  leave(id: string, mayReturn: boolean): void {
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#runners.remove(runner);
    this.#runners.save(runner, { seenAt: Date.now() });
    this.#record.log(id, runner.task ?? null, mayReturn ? "the line broke" : "left");
    const task = runner.task === undefined ? undefined : this.#tasks.get(runner.task);
    if (task && !mayReturn) this.#leases.requeue(task, "the runner left");
  }

  report(id: string, holder: Holder, progress: { fraction: number; doing: string }): void {
    const task = this.#leases.held(id, holder);
    if (task) this.#tasks.report(task.order.id, progress);
  }

  /** A result that was checked already. */
  done(id: string, holder: Holder, result: Record<string, unknown>): void {
    const task = this.#leases.held(id, holder);
    if (!task) return;
    const runner = this.#leases.free(id, task);
    if (runner) this.#runners.save(runner, { tasksDone: runner.row.tasksDone + 1 });
    this.#tasks.finish(task, { state: "done", result, runner: id, tries: task.tries + 1 });
    if (runner) this.#leases.feed(runner);
  }

  /** @param final another runner would fail too */
  failed(id: string, holder: Holder, message: string, final: boolean): void {
    const task = this.#leases.held(id, holder);
    if (!task) return;
    const runner = this.#leases.free(id, task);
    if (runner) this.#runners.save(runner, { tasksFailed: runner.row.tasksFailed + 1 });
    this.#record.log(id, task.order.id, `failed: ${message}`);
    if (final) this.#tasks.finish(task, { state: "failed", message, tries: task.tries + 1 });
    else this.#leases.requeue(task, message);
    if (runner) this.#leases.feed(runner);
  }

  /** A result that was refused: the task goes to another, and the runner is counted. */
  strike(id: string, holder: Holder | undefined, reason: string): void {
    this.#record.log(id, holder?.task ?? null, `refused: ${reason}`);
    const runner = this.#runners.get(id);
    if (!runner) return;
    this.#runners.save(runner, { strikes: runner.row.strikes + 1 });
    const task = holder && this.#leases.held(id, holder);
    if (task) {
      this.#leases.free(id, task);
      this.#leases.requeue(task, `the result of ${id} was refused: ${reason}`);
    }
    if (runner.row.strikes >= MAX_STRIKES) this.#lines.refuse(id, `refused ${reason}`);
    else if (task) this.#leases.feed(runner);
  }

  handBack(id: string, holder: Holder): void {
    const task = this.#leases.held(id, holder);
    if (!task) return;
    const runner = this.#leases.free(id, task);
    if (runner) this.#runners.save(runner, { ready: false });
    this.#leases.requeue(task, "handed back", false);
  }

  /** A lease whose time is over, or whose runner did not come back. */
  expire(task: TaskRow, reason: string): void {
    const holder = task.runner;
    if (holder && this.#runners.get(holder)) {
      this.#leases.free(holder, task);
      this.#leases.stop(holder, { task: task.order.id, lease: task.lease }, reason);
    }
    this.#leases.requeue(task, reason);
  }

  /** A lease begins anew: who gets what the task is for sees that it is being done. */
  renew({ task: id, lease }: Holder): void {
    const task = this.#tasks.get(id);
    if (task?.state !== "leased" || task.lease !== lease) return;
    const now = Date.now();
    const runner = task.runner === null ? undefined : this.#runners.get(task.runner);
    if (runner) this.#runners.save(runner, { busyMs: runner.row.busyMs + now - task.leasedAt });
    this.#tasks.store({ ...task, leasedAt: now });
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
    const runner = this.#leases.free(holder, task);
    if (runner) {
      if (isStrike) this.#runners.save(runner, { strikes: runner.row.strikes + 1 });
      this.#leases.stop(holder, { task: id, lease }, reason.slice(0, 200));
    }
    this.#leases.requeue(task, reason);
    if (runner && runner.row.strikes >= MAX_STRIKES) this.#lines.refuse(holder, reason);
  }

  /** Has ranks asked for leases that others wait for. */
  askBack(): void {
    this.#leases.askBack();
  }

  /** The order of a lease that the runner holds. */
  held(id: string, holder: Holder): TaskOrder | undefined {
    return this.#leases.held(id, holder)?.order;
  }
}
