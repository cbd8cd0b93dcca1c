/**
 * @file One training job: it holds the group's generation, the progress and the watchdog, and does none of the training.
 *
 * Everything it does follows from what is stored, and its alarm drives it: so it goes on from any point at which it,
 * a rank or the whole process died. Ranks run on their own and report. A rank that fails or falls silent ends the
 * generation: all ranks join the next one and go on from the latest step that all of them can have.
 */
import { DurableObject } from "cloudflare:workers";
import { JobLedger, nowSeconds, RETRY_MS } from "../src/jobs/job-ledger.ts";
import { isOver } from "../src/jobs/job-view.ts";
import type { JobObject } from "../src/jobs/jobs.ts";
import { runnerPool } from "../src/jobs/runners/pool.ts";
import { commonStart, Group } from "../src/jobs/training/group.ts";
import { ProgressMeter } from "../src/jobs/training/progress-meter.ts";
import type {
  RankFailure,
  RankReport,
  ReportAnswer,
  ReportTarget,
} from "../src/jobs/training/rank-protocol.ts";
import { TrainingObjects } from "../src/jobs/training/training-objects.ts";
import type { TrainingOrder } from "../src/jobs/training/training-order.ts";
import {
  type CurvePoint,
  type StoredCheckpoint,
  TrainingRecord,
} from "../src/jobs/training/training-record.ts";
import { newTrainingView, type TrainingView } from "../src/jobs/training/training-view.ts";
import { epochSpan, runnersNeeded, type TrainingPlan } from "../src/jobs/training/training-plan.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { ApiError, problemOf } from "../src/problem/api-error.ts";
import { apiErrorOf } from "../src/problem/from-error.ts";
import { deleteModel } from "../src/store/models.ts";

/** Generations that may follow each other without the training coming any further. */
const MAX_RESTARTS = 8;
/** Attempts at what is not training: building the graphs, writing the result. */
const MAX_ATTEMPTS = 3;
/** How often a job that waits for runners looks for them. */
const RUNNERS_MS = 500;
/** The pause before a generation that could not be formed: four times the one before, up to a quarter of the ranks' timeout. */
const FIRST_PAUSE_MS = 50;

export class TrainingJob
  extends DurableObject<Env>
  implements JobObject<TrainingOrder>, ReportTarget
{
  readonly #ledger = new JobLedger<TrainingOrder, TrainingView>(this.ctx.storage, this.env);
  readonly #record = new TrainingRecord(this.ctx.storage);
  #plan: TrainingPlan | undefined;
  #meter: ProgressMeter | undefined;
  /** When each rank was last heard of, in this life of the object. */
  readonly #heard = new Map<number, number>();
  readonly #bornAt = Date.now();
  #working: AbortController | undefined;
  /** When it began to wait for runners. */
  #waitsSince: number | undefined;

  /** Stores the job and has it begin; once this has returned, it will end in one way or another. */
  create(order: TrainingOrder): Promise<TrainingView> {
    return this.#ledger.create(order, newTrainingView(order));
  }

  /** `undefined` when no job was created here. */
  read(): Promise<TrainingView | undefined> {
    return this.#ledger.read();
  }

  wait(timeoutMs: number): Promise<TrainingView> {
    return this.#ledger.wait(timeoutMs);
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    return this.#ledger.events(after);
  }

  async checkpoints(): Promise<StoredCheckpoint[]> {
    return this.#record.checkpoints(this.#ledger.current().order.mode.world_size);
  }

  /** What another job needs to go on from a checkpoint of this one; `undefined` where there is none of that step. */
  async origin(
    step: number,
  ): Promise<{ order: TrainingOrder; checkpoint: StoredCheckpoint } | undefined> {
    const { order } = this.#ledger.current();
    const checkpoint = (await this.checkpoints()).find((each) => each.step === step);
    return checkpoint && { order, checkpoint };
  }

  async curve(points: number): Promise<CurvePoint[]> {
    return this.#record.curve(points);
  }

  /** Cancels the job unless it is over; tells how it stands. */
  async cancel(): Promise<{ canceled: boolean; view: TrainingView }> {
    const { view } = this.#ledger.current();
    if (isOver(view.state)) return { canceled: view.state === "canceled", view };
    const canceled = await this.#end({ state: "canceled" });
    this.#working?.abort(new DOMException("the job was canceled", "AbortError"));
    return { canceled: true, view: canceled };
  }

  /** What a rank tells: entered, and answered with whether it is to go on. */
  async report(report: RankReport): Promise<ReportAnswer> {
    const job = this.#ledger.load();
    if (!job || isOver(job.view.state)) return { goOn: false };
    if (report.generation !== this.#record.state.generation) return { goOn: false };
    this.#heard.set(report.rank, Date.now());
    this.#record.enter(report);
    if (report.failure) {
      await this.#rankFailed(report.rank, report.failure);
      return { goOn: false };
    }
    await this.#progressed(job.order, report);
    return { goOn: true };
  }

  /** Deletes the job at once, whatever it is doing. */
  async purge(): Promise<void> {
    const job = this.#ledger.load();
    if (job && !isOver(job.view.state)) await this.cancel();
    if (job) {
      const { order, view } = this.#ledger.current();
      // The ranks first: they are known here only.
      if (!(await this.#release(order, view))) throw new Error("training: a rank does not answer");
      await this.#objects(order).deleteAll();
    }
    await purgeObject(this.ctx);
  }

  override async alarm(): Promise<void> {
    const job = this.#ledger.load();
    if (!job || this.#working) return;
    this.#working = new AbortController();
    try {
      if (!isOver(job.view.state)) await this.#advance(job.order, job.view);
    } catch (error) {
      await this.#stumbled(error);
    } finally {
      this.#working = undefined;
    }
    const { order, view } = this.#ledger.current();
    if (!isOver(view.state)) return;
    if (!(await this.#release(order, view))) return;
    const objects = this.#objects(order);
    await this.#ledger.afterwards(() => objects.deleteAll());
  }

  async #advance(order: TrainingOrder, view: TrainingView): Promise<void> {
    const { phase, attempts } = this.#record.state;
    if (view.state === "queued") {
      await this.#ledger.change({ state: "running", started_at: nowSeconds() });
    }
    if (phase === "train") return await this.#watch(order);
    if (attempts >= MAX_ATTEMPTS) {
      const doing = phase === "prepare" ? "prepare the training" : "write the result";
      throw new ApiError("gave_up", `${attempts} attempts to ${doing} were cut off`);
    }
    this.#record.change({ attempts: attempts + 1 });
    // The attempt counts even if it takes the process down with it.
    await this.ctx.storage.sync();
    if (phase === "prepare") await this.#prepare(order);
    else await this.#finish(order);
  }

  async #prepare(order: TrainingOrder): Promise<void> {
    this.#doing("building the graphs");
    const { prepareTraining } = await import("../src/jobs/training/prepare.ts");
    this.#plan = await prepareTraining(this.env, order);
    if (isOver(this.#ledger.current().view.state)) return;
    this.#record.change({ phase: "train", attempts: 0 });
    await this.ctx.storage.setAlarm(Date.now());
  }

  /** Forms the group where there is none, or one of whose ranks nothing is heard. */
  async #watch(order: TrainingOrder): Promise<void> {
    const timeoutMs = Number(this.env.RANK_TIMEOUT_MS);
    if (this.#record.state.formed) {
      const silent = this.#silentRank(order.mode.world_size, timeoutMs);
      if (silent === undefined) {
        await this.ctx.storage.setAlarm(Date.now() + timeoutMs / 4);
        return;
      }
      this.#broke(`rank ${silent} was silent for ${timeoutMs} ms`);
    }
    if (await this.#awaitsRunners(order)) {
      await this.ctx.storage.setAlarm(Date.now() + RUNNERS_MS);
    } else await this.#form(order, timeoutMs);
  }

  /**
   * Ranks that do not compute themselves begin when there is a runner for each. Where it takes too long they share those
   * that there are, in turns; in `async` and `local_sgd`, where they seldom wait for each other, at once.
   */
  async #awaitsRunners(order: TrainingOrder): Promise<boolean> {
    const plan = await this.#loadPlan(order);
    if (!plan.onRunners || plan.onEdge) return false;
    const pool = runnerPool(this.env, order.workspace);
    const { fitting, free } = await pool.spare(runnersNeeded(plan, order.id));
    this.#waitsSince ??= Date.now();
    const shares =
      plan.mode.mode !== "sync" ||
      Date.now() - this.#waitsSince >= Number(this.env.RANK_TIMEOUT_MS);
    if (free >= plan.worldSize || (fitting > 0 && shares)) {
      this.#waitsSince = undefined;
      return false;
    }
    this.#doing(`waiting for runners, one for each rank: ${free} of ${plan.worldSize} are there`);
    return true;
  }

  #silentRank(worldSize: number, timeoutMs: number): number | undefined {
    const latest = Date.now() - timeoutMs;
    for (let rank = 0; rank < worldSize; rank++) {
      if ((this.#heard.get(rank) ?? this.#bornAt) < latest) return rank;
    }
    return undefined;
  }

  async #form(order: TrainingOrder, timeoutMs: number): Promise<void> {
    const { restarts, reason } = this.#record.state;
    if (restarts >= MAX_RESTARTS) {
      const last = reason ? `; the last time: ${reason}` : "";
      throw new ApiError(
        "gave_up",
        `the ranks were brought together ${restarts} times without getting further${last}`,
      );
    }
    const generation = this.#record.state.generation + 1;
    this.#record.change({
      generation,
      restarts: restarts + 1,
      formed: false,
      bytesBefore: this.#meter?.bytes() ?? this.#record.state.bytesBefore,
    });
    await this.ctx.storage.sync();
    this.#meter = undefined;
    await this.#ledger.change({ attempts: generation });
    this.#doing("bringing the ranks together");
    const group = new Group(this.env, order);
    try {
      const answers = await group.join(generation);
      const start = commonStart(answers, this.#stored(order));
      const step = start.from === "beginning" ? 0 : start.step;
      const before = this.#record.state;
      if (step > before.reached) this.#record.change({ reached: step, restarts: 1 });
      const dropped = this.#record.forgetAfter(step);
      const { metrics } = this.#ledger.current().view;
      this.#ledger.keep({ metrics: metrics.filter((epoch) => epoch.step <= step) });
      if (dropped.length > 0) await this.#objects(order).delete(dropped);
      await group.attach(generation, start);
      if (this.#isOver()) return;
      // From here on a rank may tell that it broke.
      this.#heard.clear();
      for (let rank = 0; rank < order.mode.world_size; rank++) this.#heard.set(rank, Date.now());
      this.#record.change({ formed: true });
      await group.start(generation);
    } catch (error) {
      this.#broke(error instanceof Error ? error.message : String(error));
    }
    if (this.#isOver()) return;
    await this.ctx.storage.setAlarm(
      Date.now() + (this.#record.state.formed ? timeoutMs / 4 : this.#pauseMs()),
    );
  }

  /** Checkpoints in R2 to go on from, oldest first: the other job's, then this one's. */
  #stored(order: TrainingOrder): StoredCheckpoint[] {
    const own = this.#record.checkpoints(order.mode.world_size);
    const { origin } = order;
    if (!origin?.whole) return own;
    const objects = this.#objects(order);
    const keys = origin.keys.map((_, rank) => objects.originKey(rank));
    return [{ step: origin.step, bytes: 0, createdAt: 0, keys }, ...own];
  }

  #pauseMs(): number {
    const most = Number(this.env.RANK_TIMEOUT_MS) / 4;
    return Math.min(FIRST_PAUSE_MS * 4 ** this.#record.state.restarts, most);
  }

  #isOver(): boolean {
    return isOver(this.#ledger.current().view.state);
  }

  /** The generation is over; the next alarm forms another. */
  #broke(reason: string): void {
    const { generation } = this.#record.state;
    const { id } = this.#ledger.current().view;
    console.warn(JSON.stringify({ job: id, generation, broke: reason }));
    this.#record.change({ formed: false, reason });
  }

  async #rankFailed(rank: number, failure: RankFailure): Promise<void> {
    if (failure.kind === "broken") {
      if (!this.#record.state.formed) return;
      this.#broke(`rank ${rank}: ${failure.message}`);
      await this.ctx.storage.setAlarm(Date.now());
      return;
    }
    const code = failure.kind === "non_finite" ? "training_diverged" : "training_failed";
    const last = this.#ledger.current().view.checkpoint_step;
    const kept =
      last === null ? "there is no checkpoint" : `the last checkpoint is of step ${last}`;
    await this.#fail(new ApiError(code, `${failure.message.replace(/^train: /, "")}; ${kept}`));
    await this.ctx.storage.setAlarm(Date.now());
  }

  async #progressed(order: TrainingOrder, report: RankReport): Promise<void> {
    const plan = await this.#loadPlan(order);
    if (this.#isOver()) return;
    const meter = (this.#meter ??= new ProgressMeter(plan, this.#record.state.bytesBefore));
    meter.add(report);
    this.#tellEpochs(plan);
    if (report.stored.length > 0) await this.#keepCheckpoints(order, plan);
    const finished = this.#record.finished() === plan.worldSize;
    const progress = meter.progress(finished);
    if (progress) this.#ledger.progress(progress);
    if (finished && this.#record.state.phase === "train") {
      this.#record.change({ phase: "finish", attempts: 0 });
      await this.ctx.storage.setAlarm(Date.now());
    }
  }

  /** Enters each epoch that all ranks have told of. */
  #tellEpochs(plan: TrainingPlan): void {
    for (;;) {
      const { order, view } = this.#ledger.current();
      const span = epochSpan(plan, view.metrics.length);
      const known = span && this.#record.epoch(span, plan.worldSize);
      if (!known) return;
      const hasAccuracy = order.metrics?.includes("accuracy") ?? true;
      const metrics = hasAccuracy ? known : { ...known, accuracy: null, validation_accuracy: null };
      this.#ledger.keep({ metrics: [...view.metrics, metrics] });
      this.#ledger.tell("metrics", metrics);
    }
  }

  async #keepCheckpoints(order: TrainingOrder, plan: TrainingPlan): Promise<void> {
    const step = this.#record.checkpoints(plan.worldSize).at(-1)?.step ?? null;
    if (step === this.#ledger.current().view.checkpoint_step) return;
    this.#ledger.keep({ checkpoint_step: step });
    const old = this.#record.dropOldest(plan.worldSize, plan.checkpointsKept);
    if (old.length > 0) await this.#objects(order).delete(old);
  }

  async #finish(order: TrainingOrder): Promise<void> {
    this.#doing("writing the model");
    // Their replicas would lie beside the result's bytes, where they share this isolate.
    const { generation } = this.#record.state;
    await new Group(this.env, order)
      .leave(generation, "the training is over")
      .catch(() => undefined);
    const plan = await this.#loadPlan(order);
    const { writeResult } = await import("../src/jobs/training/result.ts");
    await writeResult(this.env, order, this.#working?.signal);
    const { view } = this.#ledger.current();
    if (isOver(view.state)) {
      await deleteModel(this.env, order.workspace, order.resultModelId);
      return;
    }
    await this.#end({
      state: "succeeded",
      result: {
        model_id: order.resultModelId,
        step: plan.steps,
        metrics: view.metrics.at(-1) ?? null,
      },
      progress: { ...view.progress, fraction: 1, doing: "done", step: plan.steps },
    });
  }

  async #loadPlan(order: TrainingOrder): Promise<TrainingPlan> {
    return (this.#plan ??= await this.#objects(order).getJson<TrainingPlan>("plan.json"));
  }

  #objects(order: TrainingOrder): TrainingObjects {
    return new TrainingObjects(this.env.BLOBS, order.workspace, order.id);
  }

  #doing(doing: string): void {
    const { view } = this.#ledger.current();
    this.#ledger.progress({ ...view.progress, doing });
  }

  /** What the model, the data or the options are to blame for ends the job; the rest is tried again. */
  async #stumbled(error: unknown): Promise<void> {
    if (this.#isOver()) return;
    const known = apiErrorOf(error);
    if (known && (known.status < 500 || known.code === "gave_up")) return await this.#fail(known);
    const { phase, attempts, restarts } = this.#record.state;
    const { id } = this.#ledger.current().view;
    console.error(JSON.stringify({ job: id, phase, attempts, restarts }), error);
    const [count, most] =
      phase === "train" ? [restarts + 1, MAX_RESTARTS] : [attempts, MAX_ATTEMPTS];
    if (count >= most) {
      const given = new ApiError("internal_error", `the work failed ${count} times`);
      return await this.#fail(known ?? given);
    }
    if (phase === "train") this.#record.change({ restarts: count });
    const pause = phase === "train" ? this.#pauseMs() : RETRY_MS * attempts;
    await this.ctx.storage.setAlarm(Date.now() + pause);
  }

  async #fail(error: ApiError): Promise<void> {
    await this.#end({ state: "failed", error: problemOf(error) });
  }

  async #end(change: Partial<TrainingView>): Promise<TrainingView> {
    const view = await this.#ledger.end(change);
    await this.ctx.storage.setAlarm(Date.now());
    return view;
  }

  /** Ends the ranks and deletes what nobody needs after the end; the checkpoints stay. False: to be tried again. */
  async #release(order: TrainingOrder, view: TrainingView): Promise<boolean> {
    if (this.#record.state.released) return true;
    try {
      if (this.#record.state.generation > 0) await new Group(this.env, order).dispose();
      const objects = this.#objects(order);
      const names = ["step.onnx", "evaluate.onnx", "beginning.f32", "result.f32", "plan.json"];
      await objects.delete(names.map((name) => objects.key(name)));
      this.#record.change({ released: true });
      return true;
    } catch (error) {
      console.error(JSON.stringify({ job: view.id, release: "again later" }), error);
      await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
      return false;
    }
  }
}
