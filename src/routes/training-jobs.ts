/** @file /v1/training-jobs: orders a training; and what only trainings have: checkpoints and the curve. */
import { createRoute, z } from "@hono/zod-openapi";
import { orderTraining } from "../jobs/training/order-training.ts";
import type { CurvePoint, StoredCheckpoint } from "../jobs/training/training-record.ts";
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import { cut, numberOf } from "../store/page.ts";
import { jsonBody } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { requireJob } from "./jobs.ts";
import { jobAnswers, JobHeaders, waitFor } from "./prefer-wait.ts";
import {
  idParam,
  json,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
} from "./schemas.ts";
import { TRAINING_OPTION_NAMES, TrainingRequest } from "./training-options.ts";
import { invalidRequest } from "./validation.ts";

/** Points of the curve that are given unless asked otherwise. */
const CURVE_POINTS = 500;

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/training-jobs",
  operationId: "createTrainingJob",
  tags: ["Training"],
  summary: "Train a model",
  description:
    "Fine-tunes a stored model on a stored dataset, on `world_size` ranks. Model, data and options are checked " +
    "against each other, and against the memory of a rank, before the job is accepted. Its result is a new model.",
  request: { headers: JobHeaders },
  responses: {
    ...jobAnswers,
    ...problems(400, 404, 409, 413, 422, 503),
  },
});

const Checkpoint = z
  .object({
    object: z.literal("checkpoint"),
    step: z.number().int(),
    bytes: z.number().int(),
    world_size: z.number().int(),
    created_at: Timestamp,
  })
  .openapi("Checkpoint");

const checkpoints = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/checkpoints",
  operationId: "listCheckpoints",
  tags: ["Training"],
  summary: "List a training job's checkpoints",
  description: "Those that `resume_from` of a new job can name. They are kept as long as the job.",
  request: { params: idParam("job", "job_9d4w"), query: PageQuery },
  responses: {
    200: { description: "Oldest first.", ...json(pageOf(Checkpoint, "CheckpointList")) },
    ...problems(400, 404),
  },
});

const curve = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/curve",
  operationId: "getTrainingCurve",
  tags: ["Training"],
  summary: "Get the loss over the steps",
  request: {
    params: idParam("job", "job_9d4w"),
    query: z.strictObject({
      points: z.coerce.number().int().min(1).max(4000).default(CURVE_POINTS).openapi({
        description: "At most so many; each is a mean over the steps since the one before.",
      }),
    }),
  },
  responses: {
    200: {
      description: "Means over all ranks.",
      content: {
        "application/json": {
          schema: z
            .object({
              object: z.literal("list"),
              data: z.array(
                z.object({
                  step: z.number().int(),
                  loss: z.number(),
                  accuracy: z.number().nullable(),
                  learning_rate: z.number(),
                }),
              ),
            })
            .openapi("TrainingCurve"),
        },
      },
    },
    ...problems(400, 404),
  },
});

/** What a training job's object answers beside what all jobs' do. */
interface TrainingObject {
  checkpoints(): Promise<StoredCheckpoint[]>;
  curve(points: number): Promise<CurvePoint[]>;
}

export const trainingJobs = createRouter()
  .openapi(create, async (c) => {
    const { text, value } = await jsonBody(c);
    const given = TrainingRequest.safeParse(value);
    if (!given.success) throw invalidRequest(given.error.issues, "json", TRAINING_OPTION_NAMES);
    return await idempotent(c, await sha256Hex(text), async () =>
      waitFor(c, await orderTraining(c.env, c.get("workspace"), given.data)),
    );
  })
  .openapi(checkpoints, async (c) => {
    const object = await requireTraining(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const after = numberOf(cursor) ?? -1;
    const found = (await object.checkpoints()).filter(({ step }) => step > after);
    const page = cut(found, limit, ({ step }) => String(step));
    return c.json(pageBody(page, checkpointBody), 200);
  })
  .openapi(curve, async (c) => {
    const object = await requireTraining(c, c.req.valid("param").id);
    const data = await object.curve(c.req.valid("query").points);
    return c.json({ object: "list" as const, data }, 200);
  });

documentBody(trainingJobs, create, { "application/json": { schema: TrainingRequest } });

function checkpointBody({ step, bytes, createdAt, keys }: StoredCheckpoint) {
  return {
    object: "checkpoint" as const,
    step,
    bytes,
    world_size: keys.length,
    created_at: seconds(createdAt),
  };
}

async function requireTraining(c: AppContext, id: string): Promise<TrainingObject> {
  const job = await requireJob(c, id);
  if (job.operation !== "train") throw new ApiError("not_found", `${id} is no training job`);
  return c.env.TRAINING_JOBS.getByName(id) as unknown as TrainingObject;
}
