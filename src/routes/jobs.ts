/** @file /v1/jobs: list, get, follow and cancel. */
import { createRoute, z } from "@hono/zod-openapi";
import { isOver, type JobView } from "../jobs/job-view.ts";
import { findJob, jobObject } from "../jobs/jobs.ts";
import { ApiError } from "../problem/api-error.ts";
import { listJobRows } from "../store/jobs.ts";
import { type AppContext, createRouter } from "./context.ts";
import { jobBody, JobOperation, JobSchema, JobState } from "./job-schema.ts";
import { idParam, pageBody, pageOf, PageQuery, problems } from "./schemas.ts";

const id = idParam("job", "job_9d4w");
const answer = { content: { "application/json": { schema: JobSchema } } };

const list = createRoute({
  method: "get",
  path: "/v1/jobs",
  operationId: "listJobs",
  tags: ["Jobs"],
  summary: "List jobs",
  description: "As of each job's last change of state; get one for its progress.",
  request: {
    query: PageQuery.extend({
      state: JobState.optional(),
      model_id: z.string().max(64).optional(),
      operation: JobOperation.optional(),
    }),
  },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(JobSchema, "JobList") } },
    },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/jobs/{id}",
  operationId: "getJob",
  tags: ["Jobs"],
  summary: "Get a job",
  description: "Jobs are kept for 30 days after their end.",
  request: { params: id },
  responses: { 200: { description: "The job.", ...answer }, ...problems(404) },
});

const events = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/events",
  operationId: "streamJobEvents",
  tags: ["Jobs"],
  summary: "Follow a job",
  description:
    "Server-sent events: `state` with the job, `progress` with its progress (of a training: loss, samples per second, " +
    "bytes reduced, each rank), `metrics` with each epoch's. The stream ends after the final state; " +
    "one that breaks goes on after `Last-Event-ID`.",
  request: {
    params: id,
    headers: z.object({
      "last-event-id": z
        .string()
        .regex(/^\d{0,15}$/, "must be an id of an event")
        .optional()
        .openapi({ example: "3" }),
    }),
  },
  responses: {
    200: { description: "The events.", content: { "text/event-stream": { schema: z.string() } } },
    ...problems(400, 404),
  },
});

const cancel = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["Jobs"],
  summary: "Cancel a job",
  description: "A job that is canceled already stays so; one that is over otherwise is a 409.",
  request: { params: id },
  responses: { 200: { description: "The job, canceled.", ...answer }, ...problems(404, 409) },
});

export const jobs = createRouter()
  .openapi(list, async (c) => {
    const { limit, cursor, ...filters } = c.req.valid("query");
    const page = await listJobRows(c.env.DB, c.get("workspace"), filters, { limit, cursor });
    return c.json(
      pageBody(page, (row) => jobBody(JSON.parse(row.view))),
      200,
    );
  })
  .openapi(read, async (c) => c.json(jobBody(await requireJob(c, c.req.valid("param").id)), 200))
  .openapi(events, async (c) => {
    const job = await requireJob(c, c.req.valid("param").id);
    const after = Number(c.req.valid("header")["last-event-id"] ?? 0);
    const stream = await jobObject(c.env, job).events(after);
    return new Response(stream, {
      headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" },
    });
  })
  .openapi(cancel, async (c) => {
    const job = await requireJob(c, c.req.valid("param").id);
    const asked = isOver(job.state) ? { view: job } : await jobObject(c.env, job).cancel();
    const { id, state } = asked.view;
    if (state !== "canceled") throw new ApiError("job_already_finished", `${id} has ${state}`);
    return c.json(jobBody(asked.view), 200);
  });

/** @throws ApiError 404 for an id that the caller's workspace does not have */
export async function requireJob(c: AppContext, jobId: string): Promise<JobView> {
  const job = await findJob(c.env, c.get("workspace"), jobId);
  if (!job) throw new ApiError("not_found", `there is no job ${jobId}`);
  return job;
}
