/** @file Tasks that are queued or leased: how they stand, how many run of each group, who waits for their end. */
import type { PoolRecord, TaskRow } from "./pool-record.ts";
import type { TaskOrder, TaskOutcome, TaskProgress } from "./task-order.ts";

export class OpenTasks {
  readonly #record: PoolRecord;
  readonly #tasks = new Map<string, TaskRow>();
  /** How far leased tasks are; not worth storing. */
  readonly #progress = new Map<string, { fraction: number; doing: string }>();
  readonly #running = new Map<string, number>();
  readonly #waiters = new Map<string, Set<() => void>>();

  constructor(record: PoolRecord) {
    this.#record = record;
    for (const task of record.openTasks()) this.#enter(task);
  }

  get(id: string): TaskRow | undefined {
    return this.#tasks.get(id);
  }

  get leased(): TaskRow[] {
    return [...this.#tasks.values()].filter(({ state }) => state === "leased");
  }

  get queued(): TaskRow[] {
    return [...this.#tasks.values()].filter(({ state }) => state === "queued");
  }

  /** Leased tasks by group. */
  get running(): ReadonlyMap<string, number> {
    return this.#running;
  }

  /** `undefined` when there is such a task already. */
  add(order: TaskOrder): TaskRow | undefined {
    const task = this.#record.addTask(order);
    if (task) this.#enter(task);
    return task;
  }

  store(task: TaskRow): void {
    this.#enter(task);
    this.#record.saveTask(task);
  }

  finish(task: TaskRow, outcome: TaskOutcome): void {
    const { id } = task.order;
    this.#leave(id);
    const finished: TaskRow = { ...task, state: outcome.state, finishedAt: Date.now(), outcome };
    this.#record.saveTask(finished);
    for (const resume of this.#waiters.get(id) ?? []) resume();
    this.#waiters.delete(id);
  }

  report(id: string, progress: { fraction: number; doing: string }): void {
    this.#progress.set(id, progress);
  }

  progress(id: string): TaskProgress | undefined {
    const task = this.#tasks.get(id) ?? this.#record.task(id);
    if (!task) return undefined;
    const { state, runner, lease, tries } = task;
    const { fraction, doing } = this.#progress.get(id) ?? { fraction: 0, doing: state };
    return { state, fraction, doing, runner, lease, tries };
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

  #enter(task: TaskRow): void {
    const { id } = task.order;
    this.#leave(id);
    this.#tasks.set(id, task);
    if (task.state === "leased") this.#count(task, 1);
  }

  #leave(id: string): void {
    const task = this.#tasks.get(id);
    this.#tasks.delete(id);
    if (task?.state !== "leased") return;
    this.#count(task, -1);
    this.#progress.delete(id);
  }

  #count({ order: { group } }: TaskRow, by: number): void {
    const count = (this.#running.get(group) ?? 0) + by;
    if (count > 0) this.#running.set(group, count);
    else this.#running.delete(group);
  }
}
