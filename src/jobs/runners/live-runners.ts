/** @file The connected runners of a pool, and which of them can take what. */
import type { RunnerInfo } from "../../runner/protocol.ts";
import { newId } from "../../store/id.ts";
import { fits } from "./matching.ts";
import type { PoolRecord, RunnerRow } from "./pool-record.ts";
import type { TaskOrder } from "./task-order.ts";

export interface LiveRunner {
  row: RunnerRow;
  task: string | undefined;
}

type Wanted = Pick<TaskOrder, "kind" | "needs">;

export class LiveRunners {
  readonly #record: PoolRecord;
  readonly #runners = new Map<string, LiveRunner>();

  constructor(record: PoolRecord) {
    this.#record = record;
  }

  get byId(): ReadonlyMap<string, LiveRunner> {
    return this.#runners;
  }

  get(id: string): LiveRunner | undefined {
    return this.#runners.get(id);
  }

  /** A runner is there, new or again: what it was before counts. */
  join(session: string, tokenId: string, info: RunnerInfo): LiveRunner {
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
    this.#record.log(row.id, null, known ? "connected again" : "connected");
    return this.resume(row, undefined);
  }

  /** A runner whose line outlived the pool's last sleep: it is as it was. */
  resume(row: RunnerRow, task: string | undefined): LiveRunner {
    const runner: LiveRunner = { row, task };
    this.#runners.set(row.id, runner);
    return runner;
  }

  remove({ row }: LiveRunner): void {
    this.#runners.delete(row.id);
  }

  save(runner: LiveRunner, change: Partial<RunnerRow>): void {
    runner.row = { ...runner.row, seenAt: Date.now(), ...change };
    this.#record.saveRunner(runner.row);
  }

  /** Those that are connected, are to stay, and could do such a task. */
  fitting({ kind, needs }: Wanted): LiveRunner[] {
    return [...this.#runners.values()].filter(
      ({ row }) => !row.draining && fits(row.info, kind, needs),
    );
  }

  /** Of those that could do the task now, the one that has had least to do; not the one that has just had it. */
  freeFor({ kind, needs }: Wanted, last: string | null = null): LiveRunner | undefined {
    let best: LiveRunner | undefined;
    for (const runner of this.#runners.values()) {
      if (!isFree(runner) || runner.row.id === last || !fits(runner.row.info, kind, needs))
        continue;
      if (!best || runner.row.busyMs < best.row.busyMs) best = runner;
    }
    return best;
  }
}

export function isFree({ row: { ready, draining }, task }: LiveRunner): boolean {
  return ready && !draining && task === undefined;
}
