/** @file What a rank measures of its own steps, until its job has heard of it. */
import type { StepMetrics } from "../../train/modes/trainer.ts";
import type { MetricsRow } from "./rank-protocol.ts";
import type { RankFigures } from "./training-view.ts";

/** Milliseconds of one step. */
export interface StepTimes {
  total: number;
  compute: number;
  rows: number;
}

export class RankMeter {
  /** Steps that share a row, so that a long training has a bounded number of them. */
  readonly #stepsPerRow: number;
  readonly #rows: MetricsRow[] = [];
  #open: MetricsRow | undefined;
  /** Since the job heard of the last ones. */
  #steps = 0;
  readonly #times: StepTimes = { total: 0, compute: 0, rows: 0 };
  #staleness: number | undefined;
  /** The job has heard of the steps: the next one begins the counts anew. */
  #isTold = false;

  constructor(stepsPerRow: number) {
    this.#stepsPerRow = stepsPerRow;
  }

  /** @param counted false where another rank tells of the same rows */
  add(metrics: StepMetrics, times: StepTimes, counted: boolean): void {
    if (this.#isTold) this.#beginAnew();
    this.#steps++;
    this.#times.total += times.total;
    this.#times.compute += times.compute;
    this.#times.rows += times.rows;
    if (metrics.staleness !== undefined) {
      this.#staleness = Math.max(this.#staleness ?? 0, metrics.staleness);
    }
    if (!counted) return;
    const finished = metrics.step + 1;
    this.#open ??= {
      first: finished,
      step: finished,
      lossSum: 0,
      rows: 0,
      correct: null,
      count: 0,
      learningRate: 0,
    };
    const row = this.#open;
    row.step = finished;
    row.rows += metrics.rows;
    row.learningRate = metrics.learningRate;
    row.count += metrics.count;
    row.lossSum += metrics.loss * metrics.rows;
    if (metrics.correct !== undefined) row.correct = (row.correct ?? 0) + metrics.correct;
    if (finished % this.#stepsPerRow === 0) this.close();
  }

  /** Ends the open row: at an epoch's end, and where a checkpoint is. */
  close(): void {
    if (this.#open) this.#rows.push(this.#open);
    this.#open = undefined;
  }

  /** The rows that the job has not heard of. */
  rows(): MetricsRow[] {
    return [...this.#rows];
  }

  /** The job has heard of so many rows. */
  told(rows: number): void {
    this.#rows.splice(0, rows);
    this.#isTold = true;
  }

  #beginAnew(): void {
    this.#steps = 0;
    Object.assign(this.#times, { total: 0, compute: 0, rows: 0 });
    this.#staleness = undefined;
    this.#isTold = false;
  }

  figures({
    rank,
    step,
    executor,
    bytesSent,
  }: Pick<RankFigures, "rank" | "step" | "executor"> & { bytesSent: number }): RankFigures {
    const per = (milliseconds: number) =>
      this.#steps === 0 ? 0 : Math.round((milliseconds / this.#steps) * 100) / 100;
    const { total, compute, rows } = this.#times;
    return {
      rank,
      step,
      executor,
      compute_ms: per(compute),
      allreduce_ms: per(Math.max(0, total - compute - rows)),
      wait_ms: per(rows),
      staleness: this.#staleness ?? null,
      bytes_sent: bytesSent,
    };
  }
}
