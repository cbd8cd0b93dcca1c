/** @file A pool's SQLite: runners, tasks and a short log. Everything is stored before it is told. */
import type { RunnerInfo } from "../../runner/protocol.ts";
import type { Position } from "../../store/page.ts";
import type { TaskOrder, TaskOutcome } from "./task-order.ts";

const LOG_KEPT = 1_000;

export interface RunnerRow {
  id: string;
  session: string;
  tokenId: string;
  info: RunnerInfo;
  connectedAt: number;
  /** When it was last known to be there. */
  seenAt: number;
  tasksDone: number;
  tasksFailed: number;
  busyMs: number;
  /** Results that were refused; a runner with three is sent away. */
  strikes: number;
  /** It said so, and has not been stopped since. */
  ready: boolean;
  /** It gets nothing more. */
  draining: boolean;
}

export interface TaskRow {
  order: TaskOrder;
  /** Counts up with every order. */
  number: number;
  state: "queued" | "leased" | "done" | "failed" | "canceled";
  /** Counts up with every lease. */
  lease: number;
  /** Leases that ended without a result, but those that were handed back. */
  tries: number;
  runner: string | null;
  leasedAt: number;
  finishedAt: number;
  outcome: TaskOutcome | null;
}

export interface LogLine {
  /** Counts up. */
  id: number;
  at: number;
  runner: string | null;
  task: string | null;
  what: string;
}

/** Columns beside the JSON are those that are looked up. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runners (id TEXT PRIMARY KEY, session TEXT NOT NULL UNIQUE, seen_at INTEGER NOT NULL, row TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS tasks (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, finished_at INTEGER NOT NULL, row TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, runner TEXT, task TEXT, what TEXT NOT NULL);
`;

export class PoolRecord {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** Newest first, behind a place in the list. */
  runners(after: Position | undefined, limit: number): RunnerRow[] {
    const rows = this.#sql.exec<{ row: string }>(
      `SELECT row, row ->> 'connectedAt' AS at FROM runners ${after ? "WHERE (at, id) < (?2, ?3)" : ""}
       ORDER BY at DESC, id DESC LIMIT ?1`,
      limit,
      ...(after ?? []),
    );
    return [...rows].map(({ row }) => JSON.parse(row));
  }

  /** Whether a runner of that token was there since then. */
  wasSeen(tokenId: string, since: number): boolean {
    const [found] = this.#sql.exec(
      "SELECT 1 FROM runners WHERE seen_at >= ? AND row ->> 'tokenId' = ?",
      since,
      tokenId,
    );
    return found !== undefined;
  }

  runner(id: string): RunnerRow | undefined {
    const [found] = this.#sql.exec<{ row: string }>("SELECT row FROM runners WHERE id = ?", id);
    return found && JSON.parse(found.row);
  }

  runnerOfSession(session: string): RunnerRow | undefined {
    const [found] = this.#sql.exec<{ row: string }>(
      "SELECT row FROM runners WHERE session = ?",
      session,
    );
    return found && JSON.parse(found.row);
  }

  saveRunner(runner: RunnerRow): void {
    this.#sql.exec(
      "INSERT INTO runners (id, session, seen_at, row) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET session = ?2, seen_at = ?3, row = ?4",
      runner.id,
      runner.session,
      runner.seenAt,
      JSON.stringify(runner),
    );
  }

  deleteRunnersSeenBefore(time: number): void {
    this.#sql.exec("DELETE FROM runners WHERE seen_at < ?", time);
  }

  /** Stores a new task; `undefined` when there is one of this id. */
  addTask(order: TaskOrder): TaskRow | undefined {
    const [row] = this.#sql.exec<{ number: number }>(
      "INSERT INTO tasks (id, finished_at, row) VALUES (?, 0, '') ON CONFLICT (id) DO NOTHING RETURNING number",
      order.id,
    );
    if (!row) return undefined;
    const task: TaskRow = {
      order,
      number: row.number,
      state: "queued",
      lease: 0,
      tries: 0,
      runner: null,
      leasedAt: 0,
      finishedAt: 0,
      outcome: null,
    };
    this.saveTask(task);
    return task;
  }

  task(id: string): TaskRow | undefined {
    const [found] = this.#sql.exec<{ row: string }>("SELECT row FROM tasks WHERE id = ?", id);
    return found && JSON.parse(found.row);
  }

  /** Those that are queued or leased. */
  openTasks(): TaskRow[] {
    const rows = this.#sql.exec<{ row: string }>(
      "SELECT row FROM tasks WHERE finished_at = 0 ORDER BY number",
    );
    return [...rows].map(({ row }) => JSON.parse(row));
  }

  saveTask(task: TaskRow): void {
    this.#sql.exec(
      "UPDATE tasks SET finished_at = ?, row = ? WHERE id = ?",
      task.finishedAt,
      JSON.stringify(task),
      task.order.id,
    );
  }

  deleteTasksFinishedBefore(time: number): void {
    this.#sql.exec("DELETE FROM tasks WHERE finished_at > 0 AND finished_at < ?", time);
  }

  log(runner: string | null, task: string | null, what: string): void {
    const { id } = this.#sql
      .exec<{ id: number }>(
        "INSERT INTO log (at, runner, task, what) VALUES (?, ?, ?, ?) RETURNING id",
        Date.now(),
        runner,
        task,
        what,
      )
      .one();
    if (id % 100 === 0) this.#sql.exec("DELETE FROM log WHERE id <= ?", id - LOG_KEPT);
  }

  /** Newest first, those before the line `before`. */
  logLines(runner: string | undefined, before: number | undefined, limit: number): LogLine[] {
    const of = runner === undefined ? "" : "AND runner = ?3";
    return [
      ...this.#sql.exec<Record<string, SqlStorageValue>>(
        `SELECT id, at, runner, task, what FROM log WHERE id < ?1 ${of} ORDER BY id DESC LIMIT ?2`,
        before ?? Number.MAX_SAFE_INTEGER,
        limit,
        ...(runner === undefined ? [] : [runner]),
      ),
    ] as unknown as LogLine[];
  }
}
