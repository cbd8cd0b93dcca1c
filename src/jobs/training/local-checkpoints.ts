/** @file A rank's latest checkpoints in its own SQLite, in rows of at most 1 MiB. */
import type { StateEntry } from "../../train/replica.ts";
import { readState, stateChunks } from "./state-file.ts";

const ROW_BYTES = 1 << 20;
/** A rank may have stored one step more than the others when the group breaks: so the one before is kept too. */
const KEPT = 2;

export class LocalCheckpoints {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS checkpoints (step INTEGER, part INTEGER, data BLOB NOT NULL, PRIMARY KEY (step, part))",
    );
  }

  steps(): number[] {
    const rows = this.#storage.sql.exec<{ step: number }>(
      "SELECT DISTINCT step FROM checkpoints ORDER BY step",
    );
    return [...rows].map(({ step }) => step);
  }

  /** All of it or nothing; older ones go. */
  save(step: number, entries: readonly StateEntry[]): void {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      sql.exec("DELETE FROM checkpoints WHERE step = ?", step);
      let part = 0;
      for (const chunk of stateChunks(entries, ROW_BYTES)) {
        // A view would be stored with the whole buffer behind it.
        sql.exec(
          "INSERT INTO checkpoints (step, part, data) VALUES (?, ?, ?)",
          step,
          part++,
          chunk.slice().buffer,
        );
      }
      const kept = this.steps().slice(-KEPT);
      sql.exec("DELETE FROM checkpoints WHERE step < ?", kept[0] ?? 0);
    });
  }

  /** @throws RangeError when it is not whole */
  read(step: number): AsyncGenerator<StateEntry> {
    return readState(this.#parts(step));
  }

  /** Row by row: a cursor would not outlive the waiting in between. */
  *#parts(step: number): Generator<Uint8Array> {
    for (let part = 0; ; part++) {
      const [row] = this.#storage.sql.exec<{ data: ArrayBuffer }>(
        "SELECT data FROM checkpoints WHERE step = ? AND part = ?",
        step,
        part,
      );
      if (!row) return;
      yield new Uint8Array(row.data);
    }
  }

  /** Those of a history that is given up. */
  dropAfter(step: number): void {
    this.#storage.sql.exec("DELETE FROM checkpoints WHERE step > ?", step);
  }
}
