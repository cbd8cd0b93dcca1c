/**
 * @file One job: stored before it is acknowledged, worked on in an alarm, so that whatever kills the object,
 * the process or the machine, the platform calls again and the work is begun anew, up to three times.
 */
import { DurableObject } from "cloudflare:workers";
import { eventStream, Listeners, untilOver } from "../src/jobs/event-stream.ts";
import { JobRecord } from "../src/jobs/job-record.ts";
import {
  isOver,
  type JobEvent,
  type JobOrder,
  type JobView,
  newJobView,
} from "../src/jobs/job-view.ts";
import type { JobObject } from "../src/jobs/jobs.ts";
import { runJob } from "../src/jobs/run-job.ts";
import { ApiError, problemOf } from "../src/problem/api-error.ts";
import { apiErrorOf } from "../src/problem/from-error.ts";
import { mirrorJob, removeJobRow } from "../src/store/jobs.ts";
import { deleteModel } from "../src/store/models.ts";

const MAX_ATTEMPTS = 3;
const RETRY_MS = 2_000;
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
/** Progress is stored at most this often, unless something else is being done. */
const PROGRESS_MS = 250;

export class Job extends DurableObject<Env> implements JobObject {
  readonly #record = new JobRecord(this.ctx.storage.sql);
  readonly #listeners = new Listeners();
  #working: AbortController | undefined;
  #mirrored = false;

  /** Stores the job and has it begin; once this has returned, it will end in one way or another. */
  async create(order: JobOrder): Promise<JobView> {
    const view = newJobView(order);
    if (!this.#record.create(order, view)) return this.#load().view;
    this.#tell(this.#record.save(view, "state"));
    await this.ctx.storage.setAlarm(Date.now());
    return view;
  }

  /** `undefined` when no job was created here. */
  async read(): Promise<JobView | undefined> {
    const job = this.#record.load();
    // After a restart nobody knows whether the last change reached the catalogue.
    if (job && !this.#mirrored) await this.#mirror(job.view);
    return job?.view;
  }

  /** The job once it is over, or as it is after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<JobView> {
    const { view } = this.#load();
    if (isOver(view.state)) return view;
    await untilOver(this.#listeners, timeoutMs);
    return this.#load().view;
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    return eventStream(this.#record.eventsAfter(after), this.#listeners);
  }

  /** Cancels the job unless it is over; tells how it stands. */
  async cancel(): Promise<{ canceled: boolean; view: JobView }> {
    const { view } = this.#load();
    if (isOver(view.state)) return { canceled: view.state === "canceled", view };
    const canceled = await this.#change(view, { state: "canceled", finished_at: now() });
    this.#working?.abort(new DOMException("the job was canceled", "AbortError"));
    return { canceled: true, view: canceled };
  }

  override async alarm(): Promise<void> {
    const job = this.#record.load();
    if (!job || this.#working) return;
    if (!isOver(job.view.state)) await this.#work(job.order, job.view);
    else if (!this.#mirrored) await this.#mirror(job.view);
    await this.#afterwards();
  }

  async #work(order: JobOrder, before: JobView): Promise<void> {
    const attempts = before.attempts + 1;
    if (attempts > MAX_ATTEMPTS) {
      const error = new ApiError(
        "gave_up",
        `the work was begun ${MAX_ATTEMPTS} times and cut off each time`,
      );
      await this.#change(before, { state: "failed", error: problemOf(error), finished_at: now() });
      return;
    }
    const started = await this.#change(before, {
      state: "running",
      attempts,
      started_at: before.started_at ?? now(),
    });
    // The attempt counts even if it takes the process down with it.
    await this.ctx.storage.sync();
    const working = new AbortController();
    this.#working = working;
    try {
      const result = await runJob(this.env, order, {
        signal: working.signal,
        onProgress: this.#progressKeeper(started),
      });
      const { view } = this.#load();
      if (isOver(view.state)) await deleteModel(this.env, order.workspace, result.model_id);
      else {
        const progress = { fraction: 1, doing: "done" };
        await this.#change(view, { state: "succeeded", result, progress, finished_at: now() });
      }
    } catch (error) {
      await this.#failed(error, attempts);
    } finally {
      this.#working = undefined;
    }
  }

  /** What the model or the options are to blame for ends the job; what the storage is, is tried again. */
  async #failed(error: unknown, attempts: number): Promise<void> {
    const { view } = this.#load();
    if (isOver(view.state)) return;
    const known = apiErrorOf(error);
    if (!known || known.status >= 500) {
      console.error(JSON.stringify({ job: view.id, attempts }), error);
      if (attempts < MAX_ATTEMPTS)
        return await this.ctx.storage.setAlarm(Date.now() + RETRY_MS * attempts);
    }
    const problem = problemOf(
      known ?? new ApiError("internal_error", `the work failed ${attempts} times`),
    );
    await this.#change(view, { state: "failed", error: problem, finished_at: now() });
  }

  #progressKeeper(view: JobView): (fraction: number, doing: string) => void {
    let storedAt = 0;
    let last = view.progress.doing;
    return (fraction, doing) => {
      const time = Date.now();
      if (doing === last && time - storedAt < PROGRESS_MS) return;
      const current = this.#load().view;
      if (current.state !== "running") return;
      storedAt = time;
      last = doing;
      this.#tell(this.#record.save({ ...current, progress: { fraction, doing } }, "progress"));
    };
  }

  /** Stores a change of state, then tells of it. */
  async #change(view: JobView, change: Partial<JobView>): Promise<JobView> {
    const changed = { ...view, ...change };
    this.#tell(this.#record.save(changed, "state"));
    await this.#mirror(changed);
    return changed;
  }

  #tell(event: JobEvent): void {
    this.#listeners.tell(event);
  }

  /** The catalogue's copy: where it cannot be written now, the next read or alarm writes it. */
  async #mirror(view: JobView): Promise<void> {
    this.#mirrored = false;
    try {
      await mirrorJob(this.env.DB, view.id, view.state, JSON.stringify(view));
      this.#mirrored = true;
    } catch (error) {
      console.error(JSON.stringify({ job: view.id, mirror: view.state }), error);
    }
  }

  /** The alarm after the end: first to repair the mirror, at last to delete the job. */
  async #afterwards(): Promise<void> {
    const job = this.#record.load();
    if (!job || !isOver(job.view.state)) return;
    const deleteAt = (job.view.finished_at ?? 0) * 1000 + KEPT_MS;
    if (Date.now() >= deleteAt) {
      await removeJobRow(this.env.DB, job.view.id);
      return await this.ctx.storage.deleteAll();
    }
    await this.ctx.storage.setAlarm(this.#mirrored ? deleteAt : Date.now() + RETRY_MS);
  }

  #load() {
    const job = this.#record.load();
    if (!job) throw new Error("jobs: no job was created in this object");
    return job;
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
