/** @file How a training job stands, in its object's SQLite: the group of ranks, what they measured, their checkpoints. */
import type { EvaluationRow, MetricsRow, RankReport } from "./rank-protocol.ts";
import type { EpochMetrics } from "./training-view.ts";

export interface TrainingState {
  phase: "prepare" | "train" | "finish";
  /** How often `phase` was begun. */
  attempts: number;
  generation: number;
  /** The ranks of this generation have started, and nothing was heard since that ends it. */
  formed: boolean;
  /** Formations since the training last came further. */
  restarts: number;
  /** The step that the latest generation began from. */
  reached: number;
  /** Bytes that ranks of earlier generations sent each other. */
  bytesBefore: number;
  /** Why the latest generation broke. */
  reason: string | null;
  /** Ranks and their storage are gone, after the end. */
  released: boolean;
}

export interface StoredCheckpoint {
  step: number;
  bytes: number;
  /** Unix milliseconds. */
  createdAt: number;
  /** The ranks' parts, rank 0 first. */
  keys: string[];
}

export interface CurvePoint {
  step: number;
  loss: number;
  accuracy: number | null;
  learning_rate: number;
}

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS training (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS metrics (step INTEGER, rank INTEGER, first INTEGER NOT NULL, loss_sum REAL NOT NULL,
   rows REAL NOT NULL, correct REAL, count REAL NOT NULL, learning_rate REAL NOT NULL, PRIMARY KEY (step, rank))`,
  `CREATE TABLE IF NOT EXISTS evaluations (step INTEGER, rank INTEGER, epoch INTEGER NOT NULL, loss_sum REAL NOT NULL,
   correct REAL, count REAL NOT NULL, PRIMARY KEY (step, rank))`,
  `CREATE TABLE IF NOT EXISTS parts (step INTEGER, rank INTEGER, key TEXT NOT NULL, bytes INTEGER NOT NULL,
   created_at INTEGER NOT NULL, PRIMARY KEY (step, rank))`,
  "CREATE TABLE IF NOT EXISTS finished (rank INTEGER PRIMARY KEY)",
];

const FIRST: TrainingState = {
  phase: "prepare",
  attempts: 0,
  generation: 0,
  formed: false,
  restarts: 0,
  reached: 0,
  bytesBefore: 0,
  reason: null,
  released: false,
};

export class TrainingRecord {
  readonly #storage: DurableObjectStorage;
  #state: TrainingState | undefined;
  #made = false;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** The tables are made when they are first asked for. */
  get #sql(): SqlStorage {
    const { sql } = this.#storage;
    if (!this.#made) for (const statement of SCHEMA) sql.exec(statement);
    this.#made = true;
    return sql;
  }

  get state(): TrainingState {
    if (this.#state) return this.#state;
    const [row] = this.#sql.exec<{ state: string }>("SELECT state FROM training");
    return (this.#state = row ? { ...FIRST, ...JSON.parse(row.state) } : FIRST);
  }

  change(change: Partial<TrainingState>): TrainingState {
    const state = { ...this.state, ...change };
    this.#sql.exec(
      "INSERT OR REPLACE INTO training (id, state) VALUES (1, ?)",
      JSON.stringify(state),
    );
    return (this.#state = state);
  }

  /** What a rank reported: entered once, however often it comes. */
  enter({ rank, metrics, evaluations, stored, done }: RankReport): void {
    this.#storage.transactionSync(() => {
      for (const row of metrics) this.#enterMetrics(rank, row);
      for (const row of evaluations) this.#enterEvaluation(rank, row);
      for (const { step, key, bytes } of stored) this.enterPart(step, rank, key, bytes);
      if (done) this.#sql.exec("INSERT OR IGNORE INTO finished (rank) VALUES (?)", rank);
    });
  }

  #enterMetrics(rank: number, row: MetricsRow): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO metrics (step, rank, first, loss_sum, rows, correct, count, learning_rate) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      row.step,
      rank,
      row.first,
      row.lossSum,
      row.rows,
      row.correct,
      row.count,
      row.learningRate,
    );
  }

  #enterEvaluation(rank: number, row: EvaluationRow): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO evaluations (step, rank, epoch, loss_sum, correct, count) VALUES (?, ?, ?, ?, ?, ?)",
      row.step,
      rank,
      row.epoch,
      row.lossSum,
      row.correct,
      row.count,
    );
  }

  enterPart(step: number, rank: number, key: string, bytes: number): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO parts (step, rank, key, bytes, created_at) VALUES (?, ?, ?, ?, ?)",
      step,
      rank,
      key,
      bytes,
      Date.now(),
    );
  }

  /** Forgets what was measured after `step`: those steps are done again. Gives keys of checkpoints that go with them. */
  forgetAfter(step: number): string[] {
    return this.#storage.transactionSync(() => {
      for (const table of ["metrics", "evaluations"]) {
        this.#sql.exec(`DELETE FROM ${table} WHERE step > ?`, step);
      }
      this.#sql.exec("DELETE FROM finished");
      const parts = this.#sql.exec<{ key: string }>(
        "DELETE FROM parts WHERE step > ? RETURNING key",
        step,
      );
      return [...parts].map(({ key }) => key);
    });
  }

  /** Ranks that have done their last step. */
  finished(): number {
    return this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM finished").one().n;
  }

  /** Checkpoints of which every part is in R2, oldest first. */
  checkpoints(worldSize: number): StoredCheckpoint[] {
    const rows = this.#sql.exec<{ step: number; bytes: number; created_at: number; keys: string }>(
      `SELECT step, sum(bytes) AS bytes, max(created_at) AS created_at, json_group_array(key) AS keys
       FROM (SELECT * FROM parts ORDER BY step, rank) GROUP BY step HAVING count(*) = ? ORDER BY step`,
      worldSize,
    );
    return [...rows].map(({ step, bytes, created_at, keys }) => ({
      step,
      bytes,
      createdAt: created_at,
      keys: JSON.parse(keys),
    }));
  }

  /** Takes the oldest checkpoints off the list, all but `kept`; gives their keys. */
  dropOldest(worldSize: number, kept: number): string[] {
    const old = this.checkpoints(worldSize).slice(0, -kept);
    for (const { step } of old) this.#sql.exec("DELETE FROM parts WHERE step = ?", step);
    return old.flatMap(({ keys }) => keys);
  }

  /** The loss over the steps, at most `points` of them: each a mean over the ranks and the steps since the one before. */
  curve(points: number): CurvePoint[] {
    const { last } = this.#sql
      .exec<{ last: number | null }>("SELECT max(step) AS last FROM metrics")
      .one();
    const width = Math.max(1, Math.ceil((last ?? 0) / points));
    const rows = this.#sql.exec<{
      step: number;
      loss: number;
      accuracy: number | null;
      learning_rate: number;
    }>(
      `SELECT max(step) AS step, sum(loss_sum) / sum(rows) AS loss, sum(correct) / sum(count) AS accuracy,
       max(learning_rate) AS learning_rate
       FROM metrics WHERE rows > 0 GROUP BY (step - 1) / ? ORDER BY step`,
      width,
    );
    return [...rows];
  }

  /** Means over the steps `first` … `last`; `undefined` before every rank has told of the last one. */
  epoch(
    { epoch, first, last }: { epoch: number; first: number; last: number },
    evaluators: number,
  ): EpochMetrics | undefined {
    const [told] = this.#sql.exec<{
      ranks: number;
      loss: number | null;
      correct: number | null;
      count: number | null;
    }>(
      `SELECT count(*) AS ranks, sum(loss_sum) AS loss, sum(correct) AS correct, sum(count) AS count
       FROM (SELECT * FROM evaluations WHERE step = ? ORDER BY rank)`,
      last,
    );
    if (!told || told.ranks < evaluators) return undefined;
    const trained = this.#sql
      .exec<Record<"loss" | "rows" | "correct" | "count", number | null>>(
        `SELECT sum(loss_sum) AS loss, sum(rows) AS rows, sum(correct) AS correct, sum(count) AS count
         FROM (SELECT * FROM metrics WHERE step BETWEEN ? AND ? ORDER BY step, rank)`,
        first,
        last,
      )
      .one();
    const per = (sum: number | null, count: number | null) =>
      sum === null || !count ? null : sum / count;
    return {
      epoch,
      step: last,
      loss: per(trained.loss, trained.rows) ?? 0,
      accuracy: per(trained.correct, trained.count),
      validation_loss: per(told.loss, told.count),
      validation_accuracy: per(told.correct, told.count),
    };
  }
}
