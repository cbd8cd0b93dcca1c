/**
 * @file One optimization: its order and how far it is. A Workflow does the steps and reports here; the alarm starts
 * it, and starts another one when nothing was heard for long, from the first step: what is done is found done.
 */
import { DurableObject } from "cloudflare:workers";
import { queueHooks } from "../src/jobs/hooks/queue.ts";
import { JobLedger, nowSeconds, RETRY_MS } from "../src/jobs/job-ledger.ts";
import { isOver } from "../src/jobs/job-view.ts";
import type { JobObject } from "../src/jobs/jobs.ts";
import { cancelSteps } from "../src/jobs/recipes/cancel-steps.ts";
import type { OptimizeObject } from "../src/jobs/recipes/optimize-object.ts";
import { optimizeResult } from "../src/jobs/recipes/optimize-result.ts";
import { missedGoal, type SearchReport } from "../src/jobs/recipes/search-order.ts";
import {
  newOptimizeView,
  type OptimizeOrder,
  type OptimizeResult,
  type OptimizeView,
  type StepAt,
  type StepProgress,
  type StepResult,
} from "../src/jobs/recipes/recipe.ts";
import { withStep } from "../src/jobs/recipes/step-progress.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { ApiError, type Problem, problemOf } from "../src/problem/api-error.ts";

/** A Workflow that runs says so every two seconds. */
const SILENT_MS = 20_000;
const WATCH_MS = 5_000;
/** One that the platform has queued for so long is taken for lost. */
const QUEUED_MS = 10 * 60_000;
/** Workflows of one job: each death of a process may cost one. */
const MAX_ATTEMPTS = 100;

/** What becomes the result, kept as it comes. */
interface StepRecord {
  startedAt: number;
  result?: StepResult;
}

export class OptimizeJob
  extends DurableObject<Env>
  implements JobObject<OptimizeOrder>, OptimizeObject
{
  readonly #ledger = new JobLedger<OptimizeOrder, OptimizeView>(this.ctx.storage, this.env);
  #heardAt = Date.now();
  /** In this life of the object; a Workflow of an earlier one may have died with its process. */
  #watched = false;

  create(order: OptimizeOrder): Promise<OptimizeView> {
    return this.#ledger.create(order, newOptimizeView(order));
  }

  read(): Promise<OptimizeView | undefined> {
    return this.#ledger.read();
  }

  wait(timeoutMs: number): Promise<OptimizeView> {
    return this.#ledger.wait(timeoutMs);
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    return this.#ledger.events(after);
  }

  async cancel(): Promise<{ canceled: boolean; view: OptimizeView }> {
    const { view } = this.#ledger.current();
    if (isOver(view.state)) return { canceled: view.state === "canceled", view };
    const steps = view.progress.steps.map((step) =>
      step.state === "running" ? { ...step, state: "canceled" as const } : step,
    );
    const progress = { ...view.progress, steps };
    const canceled = await this.#ledger.end({ state: "canceled", progress });
    // A step's job that is being ordered at this moment is canceled by the alarm.
    await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    await this.#cancelSteps();
    return { canceled: true, view: canceled };
  }

  async beginStep({ index, step: { op }, of }: StepAt, job: string): Promise<boolean> {
    if (!this.#hear()) return false;
    const { view } = this.#ledger.current();
    if (view.state === "queued") {
      await this.#ledger.change({ state: "running", started_at: nowSeconds() });
    }
    if (!(await this.#record(index))) {
      await this.ctx.storage.put<StepRecord>(`step/${index}`, { startedAt: Date.now() });
      // The steps of a search come one by one.
      const begun = { op, ...(of === undefined ? {} : { of }) };
      this.#tell(index, { ...begun, state: "running", job_id: job, fraction: 0, doing: "waiting" });
    }
    return !isOver(this.#ledger.current().view.state);
  }

  async tellStep(
    index: number,
    told: { job_id: string; fraction: number; doing: string },
  ): Promise<boolean> {
    if (!this.#hear()) return false;
    const step = this.#ledger.current().view.progress.steps[index];
    const known =
      step?.job_id === told.job_id && step.fraction === told.fraction && step.doing === told.doing;
    if (step?.state === "running" && !known) this.#tell(index, told);
    return true;
  }

  async endStep(index: number, result: Omit<StepResult, "ms">): Promise<boolean> {
    if (!this.#hear()) return false;
    const { startedAt = Date.now(), result: before } = (await this.#record(index)) ?? {};
    if (before) return true;
    const ms = Date.now() - startedAt;
    const record: StepRecord = { startedAt, result: { ...result, ms } };
    await this.ctx.storage.put<StepRecord>(`step/${index}`, record);
    if (isOver(this.#ledger.current().view.state)) return false;
    const { job_id } = result;
    this.#tell(index, { state: "succeeded", job_id, fraction: 1, doing: "done" });
    return true;
  }

  async refuseStep(index: number, { detail }: Problem): Promise<void> {
    if (this.#hear()) this.#tell(index, { state: "failed", fraction: 1, doing: detail });
  }

  async failStep(index: number, problem: Problem): Promise<void> {
    if (!this.#hear()) return;
    const { progress } = this.#ledger.current().view;
    const { op = "step" } = progress.steps[index] ?? {};
    const steps = progress.steps.map((step, each) =>
      each === index ? { ...step, state: "failed" as const } : step,
    );
    const error = { ...problem, detail: `step ${index + 1} (${op}): ${problem.detail}` };
    await this.#ledger.end({ state: "failed", error, progress: { ...progress, steps } });
    await this.#tellHook();
  }

  async succeed(): Promise<void> {
    if (!this.#hear()) return;
    await this.#succeedWith([...this.#ledger.current().order.steps.keys()]);
  }

  async endSearch(search: SearchReport, steps: readonly number[]): Promise<void> {
    if (!this.#hear()) return;
    if (search.best !== null) return await this.#succeedWith(steps, { search });
    const error = { ...problemOf(missedGoal(search)), report: { search } };
    await this.#ledger.end({ state: "failed", error });
    await this.#tellHook();
  }

  async stillGoesOn(): Promise<boolean> {
    return this.#hear();
  }

  async resultModel(): Promise<string | undefined> {
    return this.#ledger.load()?.view.result?.model_id;
  }

  async #succeedWith(
    indexes: readonly number[],
    found: Pick<OptimizeResult, "search"> = {},
  ): Promise<void> {
    const { order, view } = this.#ledger.current();
    const steps: StepResult[] = [];
    for (const index of indexes) {
      const result = (await this.#record(index))?.result;
      if (!result) throw new Error(`recipes: step ${index} of ${order.id} has no result`);
      steps.push(result);
    }
    await this.#ledger.end({
      state: "succeeded",
      progress: { ...view.progress, fraction: 1, doing: "done" },
      result: await optimizeResult(this.env, order, steps, found),
    });
    await this.#tellHook();
  }

  /** Deletes the job at once, whatever it is doing. */
  async purge(): Promise<void> {
    const job = this.#ledger.load();
    if (job && !isOver(job.view.state)) await this.cancel();
    await purgeObject(this.ctx);
  }

  override async alarm(): Promise<void> {
    const job = this.#ledger.load();
    if (!job) return;
    if (!isOver(job.view.state)) {
      await this.ctx.storage.setAlarm(Date.now() + WATCH_MS);
      return await this.#watch(job.order, job.view);
    }
    if (job.view.state === "canceled") await this.#cancelSteps();
    await this.#ledger.afterwards();
    const { delivery } = job.order;
    if (delivery) await queueHooks(this.env, [{ delivery: delivery.id, result: true }]);
  }

  async #watch(order: OptimizeOrder, { attempts }: OptimizeView): Promise<void> {
    const silent = Date.now() - this.#heardAt;
    if (attempts > 0 && this.#watched && silent < SILENT_MS) return;
    const instance = `${order.id}-${attempts}`;
    const status = attempts > 0 ? await workflowStatus(this.env, instance) : "none";
    // Not begun, or paused by the operator: then there is nothing to be heard.
    if ((status === "queued" || status === "paused") && silent < QUEUED_MS) return;
    this.#watched = true;
    this.#heardAt = Date.now();
    const failure =
      status === "errored"
        ? new ApiError("internal_error", "a step failed again and again")
        : attempts >= MAX_ATTEMPTS
          ? new ApiError("gave_up", `the recipe was begun ${attempts} times`)
          : undefined;
    if (failure) {
      await this.#ledger.end({ state: "failed", error: problemOf(failure) });
      return;
    }
    this.#ledger.keep({ attempts: attempts + 1 });
    await this.ctx.storage.sync();
    try {
      await this.env.RECIPES.create({ id: `${order.id}-${attempts + 1}`, params: order });
    } catch (error) {
      console.error(JSON.stringify({ job: order.id, workflow: attempts + 1 }), error);
      this.#heardAt = 0;
    }
  }

  /** By the alarm, which rings again when this process dies. */
  async #tellHook(): Promise<void> {
    if (this.#ledger.current().order.delivery) await this.ctx.storage.setAlarm(Date.now());
  }

  async #cancelSteps(): Promise<void> {
    const { order, view } = this.#ledger.current();
    await cancelSteps(this.env, order, view);
  }

  /** False once the job is over. */
  #hear(): boolean {
    this.#heardAt = Date.now();
    this.#watched = true;
    return !isOver(this.#ledger.current().view.state);
  }

  async #record(index: number): Promise<StepRecord | undefined> {
    return await this.ctx.storage.get<StepRecord>(`step/${index}`);
  }

  #tell(index: number, change: Partial<StepProgress>): void {
    const { order, view } = this.#ledger.current();
    this.#ledger.progress(withStep(order, view.progress, index, change));
  }
}

async function workflowStatus(env: Env, instance: string): Promise<string> {
  try {
    return (await (await env.RECIPES.get(instance)).status()).status;
  } catch {
    return "unknown";
  }
}
