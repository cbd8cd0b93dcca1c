/** @file The `webhooks` section of openapi.yaml: what is sent to webhook endpoints. */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { EVENT_TYPES, type EventType } from "../jobs/webhooks/event.ts";
import type { AppEnv } from "./context.ts";
import { JobSchema } from "./job-schema.ts";

const jobExample = (state: string) => ({
  id: "job_9d4w",
  object: "job",
  operation: "quantize",
  model_id: "model_4k2v9x",
  options: { method: "dynamic" },
  state,
  progress: { fraction: 0, doing: "waiting" },
  attempts: 1,
  result: null,
  error: null,
  created_at: 1795507200,
  started_at: null,
  finished_at: null,
});

const ModelName = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    name: z.string(),
    job_id: z.string().nullable().openapi({ description: "The job that made it, if one did." }),
  })
  .openapi("WebhookModel");

const RunnerName = z
  .object({
    id: z.string(),
    object: z.literal("runner"),
    info: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi("WebhookRunner");

interface EventKind {
  tells: string;
  data: z.ZodType;
  example: unknown;
}

const jobEvent = (state: string, tells: string): EventKind => ({
  tells,
  data: JobSchema,
  example: jobExample(state),
});
const modelEvent = (tells: string): EventKind => ({
  tells,
  data: ModelName,
  example: { id: "model_4k2v9x", object: "model", name: "mnist.int8.onnx", job_id: "job_9d4w" },
});

const EVENTS: Record<EventType, EventKind> = {
  "job.queued": jobEvent("queued", "A job was ordered."),
  "job.running": jobEvent("running", "A job has begun."),
  "job.progress": jobEvent(
    "running",
    "A job came further: at most every ten seconds, and not again if it is lost.",
  ),
  "job.succeeded": jobEvent("succeeded", "A job has its result."),
  "job.failed": jobEvent("failed", "A job failed; `data.error` says why."),
  "job.canceled": jobEvent("canceled", "A job was canceled."),
  "model.created": modelEvent("A model was stored."),
  "model.deleted": modelEvent("A model was deleted."),
  "runner.lost": {
    tells: "A runner's line broke.",
    data: RunnerName,
    example: { id: "runner_3m1p", object: "runner" },
  },
};

const signatureHeaders = z.object({
  "webhook-id": z.string().openapi({
    description: "The event's id: the same when it is sent again.",
    example: "evt_0c3f",
  }),
  "webhook-timestamp": z
    .string()
    .openapi({ description: "Unix seconds of this attempt.", example: "1795507200" }),
  "webhook-signature": z.string().openapi({
    description: "By Standard Webhooks; for a day after a rotation there are two.",
    example: "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
  }),
});

const schemaName = (type: EventType) =>
  `${type.replace(/(^|\.)(\w)/g, (_, __, letter: string) => letter.toUpperCase())}Event`;

/** Describes every event that an endpoint may ask for. */
export function describeWebhooks({ openAPIRegistry }: OpenAPIHono<AppEnv>): void {
  for (const type of EVENT_TYPES) {
    const { tells, data, example } = EVENTS[type];
    const schema = z
      .object({
        id: z.string(),
        type: z.literal(type),
        timestamp: z.iso.datetime().openapi({ description: "When it happened." }),
        sequence: z
          .number()
          .int()
          .openapi({ description: "Counts up by one with each event of the endpoint." }),
        truncated: z
          .boolean()
          .optional()
          .openapi({ description: "Data that is too large has its plain fields only." }),
        data,
      })
      .openapi(schemaName(type), {
        example: {
          id: "evt_0c3f",
          type,
          timestamp: "2026-11-24T12:00:00.000Z",
          sequence: 17,
          data: example,
        },
      });
    openAPIRegistry.registerWebhook({
      method: "post",
      path: type,
      operationId: `on${schemaName(type)}`,
      tags: ["Webhooks"],
      summary: type,
      description: tells,
      security: [],
      request: {
        headers: signatureHeaders,
        body: { required: true, content: { "application/json": { schema } } },
      },
      responses: {
        204: { description: "Taken; any 2xx does." },
        410: { description: "Nothing more shall be sent: the endpoint is disabled." },
      },
    });
  }
}
