/** @file Jobs: followed, waited for, canceled. */
import { JobError } from "./errors.ts";
import { followEvents } from "./events.ts";
import type { Job, JobList } from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

/** `state` events carry the job, others what their type says. */
export interface JobEvent {
  id: string | undefined;
  type: string;
  data: unknown;
}

export interface FollowOptions {
  onEvent?: (event: JobEvent) => void;
  signal?: AbortSignal;
}

export class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get(id: string): Promise<Job> {
    const { data } = await this.#transport.GET("/v1/jobs/{id}", { params: { path: { id } } });
    return data as Job;
  }

  /** Newest first, page after page. */
  list(options: ListOptions = {}): AsyncGenerator<Job> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/jobs", { params: { query } });
      return data as JobList;
    });
  }

  async cancel(id: string): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/jobs/{id}/cancel", {
      params: { path: { id } },
    });
    return data as Job;
  }

  /** The job's events from the first on, each once, also across broken lines, until the job is over. */
  events(id: string, signal?: AbortSignal): AsyncGenerator<JobEvent> {
    const open = async (lastEventId: string | undefined) => {
      const { response } = await this.#transport.GET("/v1/jobs/{id}/events", {
        params: {
          path: { id },
          header: lastEventId === undefined ? {} : { "last-event-id": lastEventId },
        },
        parseAs: "stream",
        signal: signal ?? null,
      });
      if (!response.body) throw new TypeError("hone: the events have no body");
      return response.body;
    };
    return followEvents(open, ({ type, data }) => type === "state" && isOver(data as Job), signal);
  }

  /**
   * Waits until the job is over and has succeeded.
   * @throws JobError when it failed or was canceled
   */
  async wait(id: string, { onEvent, signal }: FollowOptions = {}): Promise<Job> {
    for await (const event of this.events(id, signal)) onEvent?.(event);
    const job = await this.get(id);
    if (job.state === "failed" || job.state === "canceled") {
      throw new JobError(id, job.state, job.error ?? {});
    }
    return job;
  }
}

function isOver({ state }: Job): boolean {
  return state === "succeeded" || state === "failed" || state === "canceled";
}
