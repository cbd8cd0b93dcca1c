/** @file Trainings: ordered here, followed like all jobs (`hone.jobs`). */
import type {
  Checkpoint,
  TrainingCurve,
  TrainingJob,
  TrainingRequest,
} from "./generated/schema.d.ts";
import { once, type Transport } from "./transport.ts";

export class TrainingJobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Starts a job that fine-tunes a stored model on a stored dataset; its result is a new model. */
  async create(request: TrainingRequest): Promise<TrainingJob> {
    const { data } = await this.#transport.POST("/v1/training-jobs", {
      params: { header: once() },
      body: request,
    });
    return data as TrainingJob;
  }

  /** What `resume_from` can name, oldest first. */
  async checkpoints(id: string): Promise<Checkpoint[]> {
    const { data } = await this.#transport.GET("/v1/jobs/{id}/checkpoints", {
      params: { path: { id } },
    });
    return data?.data ?? [];
  }

  /** The loss over the steps, in at most `points` points. */
  async curve(id: string, points?: number): Promise<TrainingCurve["data"]> {
    const { data } = await this.#transport.GET("/v1/jobs/{id}/curve", {
      params: { path: { id }, query: points === undefined ? {} : { points } },
    });
    return data?.data ?? [];
  }
}
