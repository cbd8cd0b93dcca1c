/** @file An endpoint's SQLite: its address and secrets, and every event that it was or is to be told of. */
import { payloadOf, type WebhookEvent } from "./event.ts";

export interface EndpointConfig {
  id: string;
  url: string;
  secret: string;
  /** Signs too, until then, so that receivers can change over. */
  previous?: { secret: string; until: number };
  disabled?: boolean;
}

export interface Delivery {
  id: string;
  number: number;
  event_id: string;
  type: string;
  state: "pending" | "delivered" | "failed";
  attempts: number;
  /** Of the last attempt; `null` when there was no answer. */
  status: number | null;
  error: string | null;
  /** Unix milliseconds; of the next attempt while it is pending. */
  next_at: number;
  created_at: number;
  payload: string;
}

/** Finished deliveries that are kept. */
const KEPT = 500;

export class DeliveryRecord {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`
      CREATE TABLE IF NOT EXISTS config (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
        payload TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, status INTEGER, error TEXT,
        next_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (state, next_at);
    `);
  }

  config(): EndpointConfig | undefined {
    const [row] = this.#sql.exec<{ value: string }>("SELECT value FROM config");
    return row && JSON.parse(row.value);
  }

  saveConfig(config: EndpointConfig): void {
    this.#sql.exec(
      "INSERT INTO config (id, value) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET value = ?1",
      JSON.stringify(config),
    );
  }

  /** Stores an event, once: its number is its sequence. */
  add(event: WebhookEvent, now: number): void {
    const [row] = this.#sql.exec<{ number: number }>(
      `INSERT INTO deliveries (event_id, type, payload, state, attempts, next_at, created_at)
       VALUES (?, ?, '', 'pending', 0, ?, ?) ON CONFLICT (event_id) DO NOTHING RETURNING number`,
      event.id,
      event.type,
      now,
      now,
    );
    if (!row) return;
    this.#sql.exec(
      "UPDATE deliveries SET payload = ? WHERE number = ?",
      payloadOf(event, row.number),
      row.number,
    );
    this.#sql.exec(
      "DELETE FROM deliveries WHERE state <> 'pending' AND number <= ?",
      row.number - KEPT,
    );
  }

  due(now: number, limit: number): Delivery[] {
    return this.#select(
      "WHERE state = 'pending' AND next_at <= ? ORDER BY number LIMIT ?",
      now,
      limit,
    );
  }

  /** When the next attempt is due; `undefined` when none is. */
  nextAt(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        "SELECT min(next_at) AS at FROM deliveries WHERE state = 'pending'",
      )
      .one();
    return at ?? undefined;
  }

  /** Newest first. */
  list(before: number | undefined, limit: number): Delivery[] {
    return this.#select(
      "WHERE number < ? ORDER BY number DESC LIMIT ?",
      before ?? Number.MAX_SAFE_INTEGER,
      limit,
    );
  }

  find(number: number): Delivery | undefined {
    return this.#select("WHERE number = ?", number)[0];
  }

  update(
    number: number,
    change: Partial<Pick<Delivery, "state" | "attempts" | "status" | "error" | "next_at">>,
  ): void {
    const entries = Object.entries(change);
    this.#sql.exec(
      `UPDATE deliveries SET ${entries.map(([column]) => `${column} = ?`).join(", ")} WHERE number = ?`,
      ...entries.map(([, value]) => value),
      number,
    );
  }

  #select(rest: string, ...values: SqlStorageValue[]): Delivery[] {
    const rows = this.#sql.exec<Record<string, SqlStorageValue>>(
      `SELECT number, event_id, type, payload, state, attempts, status, error, next_at, created_at FROM deliveries ${rest}`,
      ...values,
    );
    return [...rows].map((row) => ({
      ...row,
      id: `whd_${Number(row["number"])}`,
    })) as unknown as Delivery[];
  }
}
