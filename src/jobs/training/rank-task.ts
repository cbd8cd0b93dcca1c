/** @file The task that a rank has in the pool for as long as it trains: whoever holds it computes the rank's gradients. */
import type { RunnerPoolObject } from "../runners/pool.ts";
import type { TaskOrder } from "../runners/task-order.ts";

/** Key, in the rank's storage, of the task that it has in the pool. */
const TASK = "runner-task";
/** A lease lasts so long without a word of the rank. */
const LEASE_MS = 10 * 60_000;

export interface RankTaskParts {
  pool: RunnerPoolObject;
  storage: DurableObjectStorage;
  /** Of the tasks: their ids begin with it. */
  name: string;
  order: Pick<TaskOrder, "kind" | "group" | "needs" | "patient" | "sources" | "rank">;
}

export type TaskStanding =
  | { state: "queued" }
  | { state: "leased"; lease: number }
  /** Runners failed at it. */
  | { state: "failed"; why: string };

export class RankTask {
  readonly #parts: RankTaskParts;
  #id: string | undefined;
  #count = 0;
  #renewedAt = 0;

  constructor(parts: RankTaskParts) {
    this.#parts = parts;
  }

  isCalled(id: string): boolean {
    return this.#id === id;
  }

  /** How it stands; it is ordered where it is not there. */
  async standing(): Promise<TaskStanding> {
    const { pool } = this.#parts;
    for (;;) {
      const id = (this.#id ??= await this.#order());
      const progress = await pool.progress(id);
      if (progress?.state === "queued") return { state: "queued" };
      if (progress?.state === "leased") return { state: "leased", lease: progress.lease };
      const outcome = await pool.wait(id, 0);
      if (this.#id === id) this.#id = undefined;
      if (outcome?.state === "failed") return { state: "failed", why: outcome.message };
      // The pool took it for nobody's, while this object was starting anew.
    }
  }

  async #order(): Promise<string> {
    const { pool, storage, name, order } = this.#parts;
    // Of a generation before, or of a rank that died.
    await forgetTask(pool, storage, 0);
    const id = `${name}.${this.#count++}`;
    storage.kv.put(TASK, id);
    await pool.submit({ ...order, id, spec: {}, targets: {}, timeoutMs: LEASE_MS });
    return id;
  }

  /** The lease is in use: it lasts longer. */
  renew(lease: number): void {
    const now = Date.now();
    if (this.#id === undefined || now - this.#renewedAt < LEASE_MS / 8) return;
    this.#renewedAt = now;
    this.#parts.pool.renew(this.#id, lease).catch(() => undefined);
  }

  async takeBack(lease: number, reason: string, isStrike: boolean): Promise<void> {
    if (this.#id !== undefined) await this.#parts.pool.takeBack(this.#id, lease, reason, isStrike);
  }

  /** Nobody need do it any more; it may be ordered again. */
  async end(afterMs: number): Promise<void> {
    this.#id = undefined;
    await forgetTask(this.#parts.pool, this.#parts.storage, afterMs);
  }
}

/** Takes back what a rank has in the pool, if anything; a runner that was told to end has a moment for that. */
export async function forgetTask(
  pool: RunnerPoolObject,
  storage: DurableObjectStorage,
  afterMs: number,
): Promise<void> {
  const task = storage.kv.get<string>(TASK);
  if (task === undefined) return;
  storage.kv.delete(TASK);
  if (afterMs > 0) await scheduler.wait(afterMs);
  await pool.cancel(task).catch(() => undefined);
}
