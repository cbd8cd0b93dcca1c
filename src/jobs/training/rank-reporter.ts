/** @file What a rank tells its job: steps, measurements, checkpoints, and that it lives; told again until it was heard. */
import type { StepMetrics } from "../../train/modes/trainer.ts";
import { RankMeter, type StepTimes } from "./rank-meter.ts";
import type { EvaluationRow, RankReport } from "./rank-protocol.ts";
import type { RankRunParts } from "./rank-run.ts";

/** Reports are at least this far apart, unless something is to be told. */
const REPORT_MS = 500;
/** Most rows of metrics of one rank. */
const METRICS_ROWS = 4_000;

type ReporterParts = Pick<
  RankRunParts,
  "plan" | "membership" | "trainer" | "bytesSent" | "report" | "runners"
>;

export class RankReporter {
  readonly #parts: ReporterParts;
  readonly #onDismissed: () => void;
  readonly #meter: RankMeter;
  #evaluations: EvaluationRow[] = [];
  #stored: RankReport["stored"] = [];
  #reportedAt = 0;

  /** @param onDismissed called when the job answers that it goes on without this rank */
  constructor(parts: ReporterParts, onDismissed: () => void) {
    this.#parts = parts;
    this.#onDismissed = onDismissed;
    const { steps, mode } = parts.plan;
    const counted = mode.mode === "sync" ? steps : steps * mode.world_size;
    this.#meter = new RankMeter(Math.max(1, Math.ceil(counted / METRICS_ROWS)));
  }

  stepped(metrics: StepMetrics, times: StepTimes): void {
    const { plan, membership } = this.#parts;
    // In `sync` all ranks know the same sums.
    const counts = plan.mode.mode !== "sync" || membership.rank === 0;
    this.#meter.add(metrics, times, counts);
  }

  /** To go with the next report. */
  measured(row: EvaluationRow): void {
    this.#meter.close();
    this.#evaluations.push(row);
  }

  async stored(part: RankReport["stored"][number]): Promise<void> {
    this.#stored.push(part);
    await this.report();
  }

  async tellAlive(): Promise<void> {
    const nothing = { metrics: [], evaluations: [], stored: [] };
    const { goOn } = await this.#parts.report({ ...this.#figures(), ...nothing });
    if (!goOn) this.#onDismissed();
  }

  /** Unless the last report was a moment ago. */
  async reportNowAndThen(): Promise<void> {
    if (Date.now() - this.#reportedAt >= REPORT_MS) await this.report();
  }

  /** The steps up to now, none of them held back for a row that others share. */
  async reportAll(): Promise<void> {
    this.#meter.close();
    await this.report();
  }

  async report(more: Pick<RankReport, "done" | "failure"> = {}): Promise<void> {
    const metrics = this.#meter.rows();
    const evaluations = this.#evaluations;
    const stored = this.#stored;
    const { goOn } = await this.#parts.report({
      ...this.#figures(),
      metrics,
      evaluations: [...evaluations],
      stored: [...stored],
      ...more,
    });
    this.#reportedAt = Date.now();
    this.#meter.told(metrics.length);
    this.#evaluations = [];
    this.#stored = [];
    if (!goOn) this.#onDismissed();
  }

  #figures(): Pick<RankReport, "generation" | "rank" | "step" | "figures"> {
    const { membership, trainer, bytesSent, runners } = this.#parts;
    const { generation, rank } = membership;
    const { step } = trainer.replica;
    const executor = runners?.usedLast ?? "edge";
    const figures = this.#meter.figures({ rank, step, executor, bytesSent: bytesSent() });
    return { generation, rank, step, figures };
  }
}
