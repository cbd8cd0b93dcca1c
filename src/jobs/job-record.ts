/** @file A job in its object's SQLite: the order, the view, the events. Everything is stored before it is told. */
import type { JobEvent, JobView } from "./job-view.ts";

/** Events that only tell how far the work is: of a long job the latest are enough. */
const PROGRESS_EVENTS_KEPT = 1_000;

export class JobRecord<Order, View extends JobView> {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Stores a new job; false when there is one already. */
  create(order: Order, view: View): boolean {
    if (this.load()) return false;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY CHECK (id = 1), job_order TEXT NOT NULL, view TEXT NOT NULL)",
    );
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, data TEXT NOT NULL)",
    );
    this.#sql.exec(
      "INSERT INTO job (id, job_order, view) VALUES (1, ?, ?)",
      JSON.stringify(order),
      JSON.stringify(view),
    );
    return true;
  }

  /** `undefined` for an object that no job was created in. */
  load(): { order: Order; view: View } | undefined {
    const [table] = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'job'");
    if (!table) return undefined;
    const [row] = this.#sql.exec<{ job_order: string; view: string }>(
      "SELECT job_order, view FROM job",
    );
    return row && { order: JSON.parse(row.job_order), view: JSON.parse(row.view) };
  }

  /** Stores the view, and the event that tells of its change. */
  save(view: View, type: "state" | "progress"): JobEvent {
    this.keep(view);
    const event = this.add(type, type === "state" ? view : view.progress);
    if (type === "progress" && event.id % PROGRESS_EVENTS_KEPT === 0) {
      this.#sql.exec(
        "DELETE FROM events WHERE type = 'progress' AND id <= ?",
        event.id - PROGRESS_EVENTS_KEPT,
      );
    }
    return event;
  }

  /** Stores the view and tells nobody. */
  keep(view: View): void {
    this.#sql.exec("UPDATE job SET view = ?", JSON.stringify(view));
  }

  add(type: JobEvent["type"], data: unknown): JobEvent {
    const row = this.#sql
      .exec<{ id: number }>(
        "INSERT INTO events (type, data) VALUES (?, ?) RETURNING id",
        type,
        JSON.stringify(data),
      )
      .one();
    return { id: row.id, type, data };
  }

  eventsAfter(id: number): JobEvent[] {
    const rows = this.#sql.exec<{ id: number; type: JobEvent["type"]; data: string }>(
      "SELECT id, type, data FROM events WHERE id > ? ORDER BY id",
      id,
    );
    return [...rows].map((row) => ({ id: row.id, type: row.type, data: JSON.parse(row.data) }));
  }
}
