/**
 * @file One compression job: stored before it is acknowledged, worked on in an alarm, so that whatever kills the
 * object, the process or the machine, the platform calls again and the work is begun anew, up to three times.
 */
import { DurableObject } from "cloudflare:workers";
import { JobLedger, laterMs, nowSeconds, RETRY_MS } from "../src/jobs/job-ledger.ts";
import {
  type CompressionOrder,
  type CompressionView,
  isOver,
  newCompressionView,
} from "../src/jobs/job-view.ts";
import type { JobObject } from "../src/jobs/jobs.ts";
import { runJob } from "../src/jobs/run-job.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { hasPlace } from "../src/jobs/turns.ts";
import { ApiError, problemOf } from "../src/problem/api-error.ts";
import { apiErrorOf } from "../src/problem/from-error.ts";
import { deleteModel } from "../src/store/models.ts";

const MAX_ATTEMPTS = 3;
/** Progress is stored at most this often, unless something else is being done. */
const PROGRESS_MS = 250;

export class Job extends DurableObject<Env> implements JobObject<CompressionOrder> {
  readonly #ledger = new JobLedger<CompressionOrder, CompressionView>(this.ctx.storage, this.env);
  #working: AbortController | undefined;

  /** Stores the job and has it begin; once this has returned, it will end in one way or another. */
  create(order: CompressionOrder): Promise<CompressionView> {
    return this.#ledger.create(order, newCompressionView(order));
  }

  /** `undefined` when no job was created here. */
  read(): Promise<CompressionView | undefined> {
    return this.#ledger.read();
  }

  /** The job once it is over, or as it is after `timeoutMs`. */
  wait(timeoutMs: number): Promise<CompressionView> {
    return this.#ledger.wait(timeoutMs);
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    return this.#ledger.events(after);
  }

  /** Cancels the job unless it is over; tells how it stands. */
  async cancel(): Promise<{ canceled: boolean; view: CompressionView }> {
    const { view } = this.#ledger.current();
    if (isOver(view.state)) return { canceled: view.state === "canceled", view };
    const canceled = await this.#ledger.end({ state: "canceled" });
    this.#working?.abort(new DOMException("the job was canceled", "AbortError"));
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
      // Not all who wait ask at the same moment.
      if (!hasPlace()) return await this.ctx.storage.setAlarm(Date.now() + laterMs());
      await this.#work(job.order, job.view);
    }
    await this.#ledger.afterwards();
  }

  async #work(order: CompressionOrder, before: CompressionView): Promise<void> {
    const attempts = before.attempts + 1;
    if (attempts > MAX_ATTEMPTS) {
      const error = new ApiError(
        "gave_up",
        `the work was begun ${MAX_ATTEMPTS} times and cut off each time`,
      );
      await this.#ledger.end({ state: "failed", error: problemOf(error) });
      return;
    }
    await this.#ledger.change({
      state: "running",
      attempts,
      started_at: before.started_at ?? nowSeconds(),
    });
    // The attempt counts even if it takes the process down with it.
    await this.ctx.storage.sync();
    const working = new AbortController();
    this.#working = working;
    try {
      const result = await runJob(this.env, order, {
        signal: working.signal,
        onProgress: this.#progressKeeper(before.progress.doing),
      });
      const { view } = this.#ledger.current();
      if (isOver(view.state)) await deleteModel(this.env, order.workspace, result.model_id);
      else {
        await this.#ledger.end({
          state: "succeeded",
          result,
          progress: { fraction: 1, doing: "done" },
        });
      }
    } catch (error) {
      await this.#failed(error, attempts);
    } finally {
      this.#working = undefined;
    }
  }

  /** What the model or the options are to blame for ends the job; what the storage is, is tried again. */
  async #failed(error: unknown, attempts: number): Promise<void> {
    const job = this.#ledger.load();
    // Canceled, or deleted with its workspace.
    if (!job || isOver(job.view.state)) return;
    const { view } = job;
    const known = apiErrorOf(error);
    if (known?.code === "overloaded") {
      // Its turn has not come: no attempt was made.
      this.#ledger.keep({ attempts: attempts - 1 });
      return await this.ctx.storage.setAlarm(Date.now() + laterMs());
    }
    if (!known || known.status >= 500) {
      console.error(JSON.stringify({ job: view.id, attempts }), error);
      if (attempts < MAX_ATTEMPTS)
        return await this.ctx.storage.setAlarm(Date.now() + RETRY_MS * attempts);
    }
    const problem = problemOf(
      known ?? new ApiError("internal_error", `the work failed ${attempts} times`),
    );
    await this.#ledger.end({ state: "failed", error: problem });
  }

  #progressKeeper(before: string): (fraction: number, doing: string) => void {
    let storedAt = 0;
    let last = before;
    return (fraction, doing) => {
      const time = Date.now();
      if (doing === last && time - storedAt < PROGRESS_MS) return;
      if (this.#ledger.current().view.state !== "running") return;
      storedAt = time;
      last = doing;
      this.#ledger.progress({ fraction, doing });
    };
  }
}
