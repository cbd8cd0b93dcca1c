/**
 * @file One measurement of a model, on a runner or in the Worker. It is stored before it is acknowledged; the alarm
 * drives it, and a task that a runner has goes on whatever becomes of this object.
 */
import { DurableObject } from "cloudflare:workers";
import { JobLedger, laterMs, nowSeconds, RETRY_MS } from "../src/jobs/job-ledger.ts";
import { isOver } from "../src/jobs/job-view.ts";
import type { JobObject } from "../src/jobs/jobs.ts";
import {
  type MeasurementOrder,
  type MeasurementView,
  newMeasurementView,
  taskOrder,
} from "../src/jobs/measure/measurement.ts";
import { edgeProblem, performOnEdge } from "../src/jobs/measure/on-edge.ts";
import { runnerPool } from "../src/jobs/runners/pool.ts";
import type { TaskOutcome } from "../src/jobs/runners/task-order.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { ApiError, problemOf } from "../src/problem/api-error.ts";
import { apiErrorOf } from "../src/problem/from-error.ts";

const MAX_ATTEMPTS = 3;
/** One look at a runner's task takes at most so long. */
const LOOK_MS = 2_000;

export class MeasurementJob extends DurableObject<Env> implements JobObject<MeasurementOrder> {
  readonly #ledger = new JobLedger<MeasurementOrder, MeasurementView>(this.ctx.storage, this.env);
  #working: AbortController | undefined;

  create(order: MeasurementOrder): Promise<MeasurementView> {
    return this.#ledger.create(order, newMeasurementView(order));
  }

  read(): Promise<MeasurementView | undefined> {
    return this.#ledger.read();
  }

  wait(timeoutMs: number): Promise<MeasurementView> {
    return this.#ledger.wait(timeoutMs);
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    return this.#ledger.events(after);
  }

  async cancel(): Promise<{ canceled: boolean; view: MeasurementView }> {
    const { order, view } = this.#ledger.current();
    if (isOver(view.state)) return { canceled: view.state === "canceled", view };
    const canceled = await this.#ledger.end({ state: "canceled" });
    this.#working?.abort(new DOMException("the job was canceled", "AbortError"));
    await runnerPool(this.env, order.workspace).cancel(order.id);
    return { canceled: true, view: canceled };
  }

  /** Deletes the job at once, whatever it is doing. */
  async purge(): Promise<void> {
    const job = this.#ledger.load();
    if (job && !isOver(job.view.state)) await this.cancel();
    await purgeObject(this.ctx);
  }

  override async alarm(): Promise<void> {
    const job = this.#ledger.load();
    if (!job || this.#working) return;
    if (!isOver(job.view.state)) {
      try {
        await this.#work(job.order, job.view);
      } catch (error) {
        await this.#failed(error);
      }
    }
    await this.#ledger.afterwards();
  }

  async #work(order: MeasurementOrder, view: MeasurementView): Promise<void> {
    const task = taskOrder(order);
    const pool = runnerPool(this.env, order.workspace);
    const { executor } = order;
    const onRunner =
      executor === "runner" ||
      (executor === "auto" && (view.executor === "runner" || (await pool.canServe(task))));
    if (!onRunner) return await this.#workHere(order, view);
    if (view.state === "queued") await this.#begin(view, "runner");
    await pool.submit(task);
    const outcome = await pool.wait(task.id, LOOK_MS);
    if (isOver(this.#ledger.current().view.state)) return;
    if (outcome) return await this.#finish(outcome);
    const progress = await pool.progress(task.id);
    if (progress) {
      const doing = progress.state === "queued" ? "waiting for a runner" : progress.doing;
      this.#ledger.progress({ fraction: progress.fraction, doing });
    }
    await this.ctx.storage.setAlarm(Date.now());
  }

  async #workHere(order: MeasurementOrder, view: MeasurementView): Promise<void> {
    const task = taskOrder(order);
    const problem = await edgeProblem(task);
    if (problem) {
      throw new ApiError("no_executor", `${problem}; no runner is connected that could do it`);
    }
    await this.#begin(view, "edge");
    // The attempt counts even if it takes the process down with it.
    await this.ctx.storage.sync();
    const working = new AbortController();
    this.#working = working;
    try {
      const result = await performOnEdge(this.env, task, {
        signal: working.signal,
        onProgress: (fraction, doing) => {
          if (!working.signal.aborted) this.#ledger.progress({ fraction, doing });
        },
      });
      if (working.signal.aborted) return;
      await this.#ledger.end({
        state: "succeeded",
        result,
        progress: { fraction: 1, doing: "done" },
      });
    } finally {
      this.#working = undefined;
    }
  }

  async #begin({ attempts, started_at }: MeasurementView, executor: string): Promise<void> {
    if (attempts >= MAX_ATTEMPTS) {
      throw new ApiError("gave_up", `the work was begun ${attempts} times and cut off each time`);
    }
    await this.#ledger.change({
      state: "running",
      attempts: attempts + 1,
      executor,
      started_at: started_at ?? nowSeconds(),
    });
  }

  async #finish(outcome: TaskOutcome): Promise<void> {
    if (outcome.state === "canceled") {
      await this.#ledger.end({ state: "canceled" });
    } else if (outcome.state === "failed") {
      const error = problemOf(new ApiError("task_failed", outcome.message));
      await this.#ledger.end({ state: "failed", error });
    } else {
      const { result, runner, tries } = outcome;
      const progress = { fraction: 1, doing: "done" };
      await this.#ledger.end({
        state: "succeeded",
        result,
        executor: runner,
        attempts: tries,
        progress,
      });
    }
  }

  async #failed(error: unknown): Promise<void> {
    const job = this.#ledger.load();
    // Canceled, or deleted with its workspace.
    if (!job || isOver(job.view.state)) return;
    const { view } = job;
    const known =
      apiErrorOf(error) ??
      (error instanceof Error && error.name === "TaskFault"
        ? new ApiError("task_failed", error.message)
        : undefined);
    if (known?.code === "overloaded") {
      // Its turn has not come: no attempt was made.
      this.#ledger.keep({ attempts: view.attempts - 1 });
      return await this.ctx.storage.setAlarm(Date.now() + laterMs());
    }
    if (!known || known.status >= 500) {
      console.error(JSON.stringify({ job: view.id }), error);
      if (view.attempts < MAX_ATTEMPTS) {
        return await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
      }
    }
    const said = error instanceof Error ? error.message : String(error);
    await this.#ledger.end({
      state: "failed",
      error: problemOf(known ?? new ApiError("task_failed", said)),
    });
  }
}
