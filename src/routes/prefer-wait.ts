/** @file `Prefer: wait` (RFC 7240 §4.3): the answer may take that long, if the job is over by then. */
import { z } from "@hono/zod-openapi";
import { isOver, type JobView } from "../jobs/job-view.ts";
import { jobObject } from "../jobs/jobs.ts";
import { ApiError } from "../problem/api-error.ts";
import type { AppContext } from "./context.ts";
import { jobBody, JobSchema } from "./job-schema.ts";
import { IdempotencyHeaders } from "./schemas.ts";

export const PreferHeader = z.object({
  prefer: z.string().optional().openapi({
    description:
      "`wait` or `wait=N`: answer when the job is over, or after N seconds (at most 60).",
    example: "wait=30",
  }),
});

/** Of calls that order a job. */
export const JobHeaders = IdempotencyHeaders.extend(PreferHeader.shape);

const job = {
  headers: z.object({ Location: z.string() }),
  content: { "application/json": { schema: JobSchema } },
};

/** What `waitFor` answers. */
export const jobAnswers = {
  200: {
    description: "The job is over, within the time that `Prefer: wait` gave it.",
    ...job,
  },
  202: { description: "The job.", ...job },
};

/** Proxies close connections that are silent for longer. */
const MAX_WAIT_S = 60;

/** 200 with the job when it was waited for and is over, else 202. */
export async function waitFor(c: AppContext, job: JobView) {
  const headers: Record<string, string> = { Location: `/v1/jobs/${job.id}` };
  const wait = waitSeconds(c.req.header("Prefer"));
  if (wait === undefined) return c.json(jobBody(job), 202, headers);
  headers["Preference-Applied"] = `wait=${wait}`;
  const view = await jobObject(c.env, job).wait(wait * 1000);
  return isOver(view.state)
    ? c.json(jobBody(view), 200, headers)
    : c.json(jobBody(view), 202, headers);
}

function waitSeconds(prefer: string | undefined): number | undefined {
  const match = /(?:^|[,;])\s*wait\s*(?:=\s*"?([^\s,;"]*)"?)?\s*(?:$|[,;])/i.exec(prefer ?? "");
  if (!match) return undefined;
  const text = match[1] ?? String(MAX_WAIT_S);
  if (!/^\d{1,6}$/.test(text)) {
    const message = `"${text}" is not a number of seconds`;
    throw new ApiError("invalid_request", `headers: Prefer: wait: ${message}`, {
      errors: [{ path: "headers.prefer", message }],
    });
  }
  return Math.min(Number(text), MAX_WAIT_S);
}
