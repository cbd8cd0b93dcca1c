/**
 * @file A rank's work in one generation: step after step, cut into slices, with measurements and checkpoints.
 *
 * What a step told is reported before a checkpoint holds that step, so that the job has heard of every step
 * which is not done again.
 */
import type { Trainer } from "../../train/modes/trainer.ts";
import type { LocalCheckpoints } from "./local-checkpoints.ts";
import type { RankData } from "./rank-data.ts";
import type { EvaluationRow, Membership, RankReport, ReportAnswer } from "./rank-protocol.ts";
import { failureOf } from "./rank-failure.ts";
import { RankReporter } from "./rank-reporter.ts";
import type { RankRunners } from "./rank-runners.ts";
import type { TimedExecutor } from "./timed-executor.ts";
import { endsEpoch, epochOf, type TrainingPlan } from "./training-plan.ts";
import type { TrainingObjects } from "./training-objects.ts";

/** Without a pause in which others are heard a rank works no longer than this. */
const BREATH_MS = 20;

export interface RankRunParts {
  plan: TrainingPlan;
  membership: Membership;
  trainer: Trainer;
  executor: TimedExecutor;
  data: RankData;
  checkpoints: LocalCheckpoints;
  objects: TrainingObjects;
  /** Payload bytes that this rank sent, so far. */
  bytesSent: () => number;
  /** Brings a report to the job, as often as it takes. */
  report: (report: RankReport) => Promise<ReportAnswer>;
  /** Where gradients are computed elsewhere. */
  runners: RankRunners | undefined;
  /** How often the job hears of this rank while a step on a runner takes long. */
  aliveMs: number;
  /** Ends transport and collective. */
  close: (reason: string) => void;
}

export class RankRun {
  readonly #parts: RankRunParts;
  readonly #reporter: RankReporter;
  #breathedAt = Date.now();
  #ended = false;
  readonly #stopped = Promise.withResolvers<false>();
  readonly #work = this.#allWork();

  constructor(parts: RankRunParts) {
    this.#parts = parts;
    this.#reporter = new RankReporter(parts, () => {
      this.stop("the job goes on without this generation");
    });
  }

  get generation(): number {
    return this.#parts.membership.generation;
  }

  get runners(): RankRunners | undefined {
    return this.#parts.runners;
  }

  /** Resolves once `stop` is called. */
  get stopped(): Promise<false> {
    return this.#stopped.promise;
  }

  /** Stops the work; what is under way ends with an error that nobody hears of. */
  stop(reason: string): void {
    this.#ended = true;
    this.#parts.close(reason);
    this.#stopped.resolve(false);
  }

  /** Works for about `sliceMs`, up to a point where it can be left; true while there is more to do. */
  async slice(sliceMs: number): Promise<boolean> {
    const until = Date.now() + sliceMs;
    try {
      while (!this.#ended && Date.now() < until) {
        const { done } = await this.#work.next();
        if (done) return false;
        await this.#breathe();
      }
      return !this.#ended;
    } catch (error) {
      await this.#failed(error);
      return false;
    }
  }

  /** The whole work; it yields where it can be left, and goes on from there in the next slice. */
  async *#allWork(): AsyncGenerator<void> {
    const { plan, trainer } = this.#parts;
    while (this.#step() < plan.steps) {
      await this.#takeStep();
      yield;
      yield* this.#afterStep(plan, this.#step());
    }
    await trainer.finish();
    yield* this.#finish();
  }

  /** Finished steps. */
  #step(): number {
    return this.#parts.trainer.replica.step;
  }

  async #takeStep(): Promise<void> {
    const { trainer, executor, data } = this.#parts;
    const step = this.#step();
    const start = performance.now();
    const { batches, globalRows } = await data.step(step);
    const read = performance.now();
    const computed = executor.milliseconds;
    const metrics = await this.#alive(trainer.step({ step, batches, globalRows }));
    const times = {
      total: performance.now() - start,
      compute: executor.milliseconds - computed,
      rows: read - start,
    };
    this.#reporter.stepped(metrics, times);
  }

  /** Shaders that are compiled, or a runner that has to be found, take longer than a rank may be silent. */
  async #alive<T>(work: Promise<T>): Promise<T> {
    const { runners, aliveMs } = this.#parts;
    if (!runners) return await work;
    const tell = () => {
      this.#reporter.tellAlive().catch((error: unknown) => console.warn(String(error)));
    };
    const timer = setInterval(tell, aliveMs);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }

  async *#afterStep(plan: TrainingPlan, step: number): AsyncGenerator<void> {
    const last = step === plan.steps;
    // In `async` the ranks agree only where their own checkpoints are, and again after the end.
    const ends = last && plan.mode.mode !== "async";
    const local = ends || step % plan.localCheckpointEvery === 0;
    const stored = ends || (plan.checkpointEvery > 0 && step % plan.checkpointEvery === 0);
    if (endsEpoch(plan, step) && !last) yield* this.#measure(step);
    if (local || stored) await this.#checkpoint(step, { local, stored });
    else await this.#reporter.reportNowAndThen();
  }

  /** Lets others be heard, whose messages wait while this rank works. */
  async #breathe(): Promise<void> {
    if (Date.now() - this.#breathedAt < BREATH_MS) return;
    await scheduler.wait(0);
    this.#breathedAt = Date.now();
  }

  async #checkpoint(step: number, to: { local: boolean; stored: boolean }): Promise<void> {
    const { trainer, checkpoints, objects, membership } = this.#parts;
    await this.#reporter.reportAll();
    if (this.#ended) return;
    if (to.local) checkpoints.save(step, trainer.export({ replicated: "whole" }));
    if (!to.stored) return;
    const key = objects.partKey(step, membership.rank);
    const bytes = await objects.putState(key, trainer.export());
    await this.#reporter.stored({ step, key, bytes });
  }

  /** The loss on this rank's part of the validation rows; a row even where there are none, so that the job knows. */
  async *#measure(step: number): AsyncGenerator<void> {
    const { plan, trainer, executor, data } = this.#parts;
    const row: EvaluationRow = {
      step,
      epoch: epochOf(plan, step),
      lossSum: 0,
      correct: null,
      count: 0,
    };
    let unchanged = false;
    for await (const batch of data.validation()) {
      const { vector } = trainer.replica;
      const measured = executor.evaluate(vector, batch, unchanged);
      const { loss, correct, count } = await this.#alive(measured);
      unchanged = true;
      row.lossSum += loss * count;
      if (correct !== undefined) row.correct = (row.correct ?? 0) + correct;
      row.count += count;
      yield;
    }
    this.#reporter.measured(row);
  }

  async *#finish(): AsyncGenerator<void> {
    const { plan, trainer, objects, membership } = this.#parts;
    yield* this.#measure(plan.steps);
    if (plan.mode.mode === "async") {
      await this.#checkpoint(plan.steps, { local: false, stored: true });
    }
    if (membership.rank === 0) await objects.putVector("result.f32", trainer.replica.vector);
    await this.#reporter.report({ done: true });
    // Others may still need this rank's answers: the job ends it.
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#ended) return;
    const failure = failureOf(error, this.#step());
    try {
      await this.#reporter.report({ failure });
    } finally {
      this.stop(failure.message);
    }
  }
}
