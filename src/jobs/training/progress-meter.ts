/** @file How far a generation of ranks is, from their reports. */
import { rowPlace } from "../../train/row-schedule.ts";
import type { RankReport } from "./rank-protocol.ts";
import type { TrainingPlan } from "./training-plan.ts";
import type { RankFigures, TrainingProgress } from "./training-view.ts";

/** Progress is told at most this often. */
const INTERVAL_MS = 250;
/** Rows per second are counted over so long. */
const WINDOW_MS = 5_000;

export class ProgressMeter {
  readonly #plan: TrainingPlan;
  readonly #bytesBefore: number;
  readonly #ranks = new Map<number, RankFigures>();
  readonly #rows: { at: number; rows: number }[] = [];
  #loss: number | null = null;
  #lossStep = 0;
  #toldAt = 0;

  /** @param bytesBefore what ranks of earlier generations sent */
  constructor(plan: TrainingPlan, bytesBefore: number) {
    this.#plan = plan;
    this.#bytesBefore = bytesBefore;
  }

  add({ rank, figures, metrics }: RankReport): void {
    this.#ranks.set(rank, figures);
    const last = metrics.at(-1);
    if (last && last.rows > 0 && last.step >= this.#lossStep) {
      this.#lossStep = last.step;
      this.#loss = last.lossSum / last.rows;
    }
    const now = Date.now();
    this.#rows.push({ at: now, rows: metrics.reduce((sum, { rows }) => sum + rows, 0) });
    while (now - (this.#rows[0]?.at ?? now) > WINDOW_MS) this.#rows.shift();
  }

  /** Bytes that ranks sent each other, of all generations. */
  bytes(): number {
    let bytes = this.#bytesBefore;
    for (const figures of this.#ranks.values()) bytes += figures.bytes_sent;
    return bytes;
  }

  /** `undefined` when it was told a moment ago, unless `now` is asked for. */
  progress(now: boolean): TrainingProgress | undefined {
    const time = Date.now();
    if (!now && time - this.#toldAt < INTERVAL_MS) return undefined;
    this.#toldAt = time;
    const { worldSize, steps, stepsBefore = 0 } = this.#plan;
    const ranks = [...this.#ranks.values()].toSorted((a, b) => a.rank - b.rank);
    const step =
      ranks.length < worldSize ? stepsBefore : Math.min(...ranks.map((rank) => rank.step));
    return {
      fraction: step / steps,
      doing: "training",
      step,
      steps,
      epoch: rowPlace(this.#plan, step).epoch,
      loss: this.#loss,
      samples_per_second: this.#samplesPerSecond(),
      bytes_reduced: this.bytes(),
      ranks,
    };
  }

  #samplesPerSecond(): number | null {
    const [first, ...others] = this.#rows;
    const last = others.at(-1);
    if (!first || !last || last.at === first.at) return null;
    const rows = others.reduce((sum, each) => sum + each.rows, 0);
    return Math.round((rows * 1000) / (last.at - first.at));
  }
}
