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
import { Generations, MAX_RESTARTS } from "../src/jobs/training/generations.ts";
import { Group } from "../src/jobs/training/group.ts";
import type {
  RankFailure,
  RankReport,
  ReportAnswer,
  ReportTarget,
} from "../src/jobs/training/rank-protocol.ts";
import { ReportedProgress } from "../src/jobs/training/reported-progress.ts";
import { TrainingDesk } from "../src/jobs/training/training-desk.ts";
import type { TrainingOrder } from "../src/jobs/training/training-order.ts";
import type { CurvePoint, StoredCheckpoint } from "../src/jobs/training/training-record.ts";
import { newTrainingView, type TrainingView } from "../src/jobs/training/training-view.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { ApiError, problemOf } from "../src/problem/api-error.ts";
import { apiErrorOf } from "../src/problem/from-error.ts";
import { deleteModel } from "../src/store/models.ts";

/** Attempts at what is not training: building the graphs, writing the result. */
const MAX_ATTEMPTS = 3;

export class TrainingJob
  extends DurableObject<Env>
  implements JobObject<TrainingOrder>, ReportTarget
{
  readonly #ledger = new JobLedger<TrainingOrder, TrainingView>(this.ctx.storage, this.env);
  readonly #desk = new TrainingDesk(this.env, this.ctx.storage, this.#ledger);
  readonly #record = this.#desk.record;
  readonly #progress = new ReportedProgress(this.#desk);
  readonly #generations = new Generations(this.#desk, this.#progress);
  #working: AbortController | undefined;

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
    this.#generations.heard(report.rank);
    this.#record.enter(report);
    if (report.failure) {
      await this.#rankFailed(report.rank, report.failure);
      return { goOn: false };
    }
    await this.#progress.enter(job.order, report);
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
      await this.#desk.objects(order).deleteAll();
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
    const objects = this.#desk.objects(order);
    await this.#ledger.afterwards(() => objects.deleteAll());
  }

  async #advance(order: TrainingOrder, view: TrainingView): Promise<void> {
    const { phase, attempts } = this.#record.state;
    if (view.state === "queued") {
      await this.#ledger.change({ state: "running", started_at: nowSeconds() });
    }
    if (phase === "train") return await this.#generations.watch(order);
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
    this.#desk.doing("building the graphs");
    const { prepareTraining } = await import("../src/jobs/training/prepare.ts");
    await prepareTraining(this.env, order);
    if (this.#desk.isOver) return;
    this.#record.change({ phase: "train", attempts: 0 });
    await this.#desk.ring();
  }

  async #rankFailed(rank: number, failure: RankFailure): Promise<void> {
    if (failure.kind === "broken") {
      if (!this.#record.state.formed) return;
      this.#generations.broke(`rank ${rank}: ${failure.message}`);
      await this.#desk.ring();
      return;
    }
    const code = failure.kind === "non_finite" ? "training_diverged" : "training_failed";
    const last = this.#ledger.current().view.checkpoint_step;
    const kept =
      last === null ? "there is no checkpoint" : `the last checkpoint is of step ${last}`;
    await this.#fail(new ApiError(code, `${failure.message.replace(/^train: /, "")}; ${kept}`));
    await this.#desk.ring();
  }

  async #finish(order: TrainingOrder): Promise<void> {
    this.#desk.doing("writing the model");
    // Their replicas would lie beside the result's bytes, where they share this isolate.
    const { generation } = this.#record.state;
    await new Group(this.env, order)
      .leave(generation, "the training is over")
      .catch(() => undefined);
    const plan = await this.#desk.plan(order);
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

  /** What the model, the data or the options are to blame for ends the job; the rest is tried again. */
  async #stumbled(error: unknown): Promise<void> {
    if (this.#desk.isOver) return;
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
    const pause = phase === "train" ? this.#generations.pauseMs() : RETRY_MS * attempts;
    await this.#desk.ring(pause);
  }

  async #fail(error: ApiError): Promise<void> {
    await this.#end({ state: "failed", error: problemOf(error) });
  }

  async #end(change: Partial<TrainingView>): Promise<TrainingView> {
    const view = await this.#ledger.end(change);
    await this.#desk.ring();
    return view;
  }

  /** Ends the ranks and deletes what nobody needs after the end; the checkpoints stay. False: to be tried again. */
  async #release(order: TrainingOrder, view: TrainingView): Promise<boolean> {
    if (this.#record.state.released) return true;
    try {
      if (this.#record.state.generation > 0) await new Group(this.env, order).dispose();
      const objects = this.#desk.objects(order);
      const names = ["step.onnx", "evaluate.onnx", "beginning.f32", "result.f32", "plan.json"];
      await objects.delete(names.map((name) => objects.key(name)));
      this.#record.change({ released: true });
      return true;
    } catch (error) {
      console.error(JSON.stringify({ job: view.id, release: "again later" }), error);
      await this.#desk.ring(RETRY_MS);
      return false;
    }
  }
}
