/**
 * @file What every kind of job keeps in its object: order, view and events, stored before they are told; the
 * catalogue's mirror, repaired where a write to it failed; and the end of the job's life.
 */
import { mirrorJob, removeJobRow } from "../store/jobs.ts";
import { newId } from "../store/id.ts";
import { eventStream, Listeners, untilOver } from "./event-stream.ts";
import { JobRecord } from "./job-record.ts";
import { isOver, type JobEvent, type JobView } from "./job-view.ts";
import { pokeEvents } from "./webhooks/dispatch.ts";

/** A job is deleted so long after its end. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
/** A mirror that could not be written is tried again after this time. */
export const RETRY_MS = 2_000;

export class JobLedger<Order extends { workspace: string }, View extends JobView> {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;
  #toldAt = Date.now();
  readonly #record: JobRecord<Order, View>;
  readonly #listeners = new Listeners();
  #mirrored = false;

  constructor(storage: DurableObjectStorage, env: Env) {
    this.#storage = storage;
    this.#env = env;
    this.#record = new JobRecord(storage.sql);
  }

  /** Stores a new job and has the alarm ring; a job that is there already stays as it is. */
  async create(order: Order, view: View): Promise<View> {
    if (!this.#record.create(order, view)) return this.current().view;
    this.#listeners.tell(this.#record.save(view, "state"));
    await this.#storage.setAlarm(Date.now());
    return view;
  }

  /** `undefined` when no job was created here. */
  load(): { order: Order; view: View } | undefined {
    return this.#record.load();
  }

  /** @throws Error when no job was created here */
  current(): { order: Order; view: View } {
    const job = this.#record.load();
    if (!job) throw new Error("jobs: no job was created in this object");
    return job;
  }

  /** The view, for those who ask from outside; `undefined` when no job was created here. */
  async read(): Promise<View | undefined> {
    const job = this.#record.load();
    // After a restart nobody knows whether the last change reached the catalogue.
    if (job && !this.#mirrored) await this.#mirror(job.view);
    return job?.view;
  }

  /** The view once the job is over, or as it is after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<View> {
    const { view } = this.current();
    if (isOver(view.state)) return view;
    await untilOver(this.#listeners, timeoutMs);
    return this.current().view;
  }

  /** None where no job was created here. */
  events(after: number): ReadableStream<Uint8Array> {
    if (!this.#record.load()) return new Response(new Uint8Array()).body as ReadableStream;
    return eventStream(this.#record.eventsAfter(after), this.#listeners);
  }

  /** Stores a change of state, then tells of it. */
  async change(change: Partial<View>): Promise<View> {
    const view = { ...this.current().view, ...change };
    this.#listeners.tell(this.#record.save(view, "state"));
    await this.#mirror(view);
    return view;
  }

  /** Stores how it ended, and tells of it. */
  async end(change: Partial<View>): Promise<View> {
    return await this.change({ ...change, finished_at: nowSeconds() });
  }

  /** Stores how far the work is, and tells of it. */
  progress(progress: View["progress"]): void {
    const { view } = this.current();
    this.#listeners.tell(this.#record.save({ ...view, progress }, "progress"));
    if (Date.now() - this.#toldAt >= Number(this.#env.WEBHOOK_PROGRESS_MS))
      void this.#tellProgress({ ...view, progress });
  }

  async #tellProgress(view: View): Promise<void> {
    this.#toldAt = Date.now();
    const { workspace } = this.current().order;
    const event = {
      id: newId("evt"),
      type: "job.progress" as const,
      createdAt: Date.now(),
      data: view,
    };
    await pokeEvents(this.#env, { workspace, event });
  }

  /** Stores an event beside the view's own, and tells of it. */
  tell(type: JobEvent["type"], data: unknown): void {
    this.#listeners.tell(this.#record.add(type, data));
  }

  /** The catalogue's copy: where it cannot be written now, the next read or alarm writes it. */
  async #mirror(view: View): Promise<void> {
    this.#mirrored = false;
    try {
      await mirrorJob(this.#env.DB, view.id, view.state, JSON.stringify(view));
      this.#mirrored = true;
      await pokeEvents(this.#env, { workspace: this.current().order.workspace });
    } catch (error) {
      console.error(JSON.stringify({ job: view.id, mirror: view.state }), error);
    }
  }

  /** Stores a change that another event tells of. */
  keep(change: Partial<View>): void {
    this.#record.keep({ ...this.current().view, ...change });
  }

  /**
   * What the alarm does once the job is over: repairs the mirror, at last deletes the job.
   * @param deleteAll deletes what the job keeps elsewhere
   */
  async afterwards(deleteAll?: () => Promise<void>): Promise<void> {
    const job = this.#record.load();
    if (!job || !isOver(job.view.state)) return;
    const deleteAt = (job.view.finished_at ?? 0) * 1000 + KEPT_MS;
    if (Date.now() >= deleteAt) {
      await deleteAll?.();
      await removeJobRow(this.#env.DB, job.view.id);
      return await this.#storage.deleteAll();
    }
    if (!this.#mirrored) await this.#mirror(job.view);
    await this.#storage.setAlarm(this.#mirrored ? deleteAt : Date.now() + RETRY_MS);
  }
}

/** Unix seconds, as views have them. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** When a job that found no place asks for a turn again: not all who wait ask at the same moment. */
export function laterMs(): number {
  return RETRY_MS * (1 + Math.random());
}
