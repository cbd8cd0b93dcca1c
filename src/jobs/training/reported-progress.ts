/** @file What ranks report, as the job shows it: progress, each epoch's metrics, the checkpoints that are kept. */
import { ProgressMeter } from "./progress-meter.ts";
import type { RankReport } from "./rank-protocol.ts";
import type { TrainingDesk } from "./training-desk.ts";
import type { TrainingOrder } from "./training-order.ts";
import { epochSpan, type TrainingPlan } from "./training-plan.ts";

export class ReportedProgress {
  readonly #desk: TrainingDesk;
  #meter: ProgressMeter | undefined;

  constructor(desk: TrainingDesk) {
    this.#desk = desk;
  }

  /** Bytes that ranks sent each other, of all generations. */
  bytes(): number {
    return this.#meter?.bytes() ?? this.#desk.record.state.bytesBefore;
  }

  /** Another generation's figures follow. */
  beginAnew(): void {
    this.#meter = undefined;
  }

  /** A report that is in the record. */
  async enter(order: TrainingOrder, report: RankReport): Promise<void> {
    const plan = await this.#desk.plan(order);
    if (this.#desk.isOver) return;
    const meter = (this.#meter ??= new ProgressMeter(plan, this.#desk.record.state.bytesBefore));
    meter.add(report);
    this.#tellEpochs(plan);
    if (report.stored.length > 0) await this.#keepCheckpoints(order, plan);
    const finished = this.#desk.record.finished() === plan.worldSize;
    const progress = meter.progress(finished);
    if (progress) this.#desk.ledger.progress(progress);
    if (finished && this.#desk.record.state.phase === "train") {
      this.#desk.record.change({ phase: "finish", attempts: 0 });
      await this.#desk.ring();
    }
  }

  /** Enters each epoch that all ranks have told of. */
  #tellEpochs(plan: TrainingPlan): void {
    for (;;) {
      const { order, view } = this.#desk.ledger.current();
      const span = epochSpan(plan, view.metrics.length);
      const known = span && this.#desk.record.epoch(span, plan.worldSize);
      if (!known) return;
      const hasAccuracy = order.metrics?.includes("accuracy") ?? true;
      const metrics = hasAccuracy ? known : { ...known, accuracy: null, validation_accuracy: null };
      this.#desk.ledger.keep({ metrics: [...view.metrics, metrics] });
      this.#desk.ledger.tell("metrics", metrics);
    }
  }

  async #keepCheckpoints(order: TrainingOrder, plan: TrainingPlan): Promise<void> {
    const step = this.#desk.record.checkpoints(plan.worldSize).at(-1)?.step ?? null;
    if (step === this.#desk.ledger.current().view.checkpoint_step) return;
    this.#desk.ledger.keep({ checkpoint_step: step });
    const old = this.#desk.record.dropOldest(plan.worldSize, plan.checkpointsKept);
    if (old.length > 0) await this.#desk.objects(order).delete(old);
  }
}
