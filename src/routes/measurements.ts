/** @file /v1/models/{id}/benchmark and /verify: how fast and how close a stored model is, on a runner or in the Worker. */
import { createRoute, z } from "@hono/zod-openapi";
import { EXECUTORS } from "../jobs/measure/measurement.ts";
import { orderMeasurement } from "../jobs/measure/order-measurement.ts";
import { Backend } from "../runner/protocol.ts";
import { sha256Hex } from "../store/id.ts";
import { createRouter } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { JobSchema } from "./job-schema.ts";
import { requireModel } from "./models.ts";
import { PreferHeader, waitFor } from "./prefer-wait.ts";
import { IdempotencyHeaders, idParam, problems } from "./schemas.ts";

const place = {
  executor: z.enum(EXECUTORS).default("auto").openapi({
    description: "`auto`: a runner that has what it takes, else the Worker (small models).",
  }),
  backend: Backend.optional().openapi({
    description: "Only there. `wasm` is what the Worker has.",
    example: "webgpu",
  }),
};

export const Benchmark = z
  .strictObject({
    ...place,
    original: z.string().max(64).optional().openapi({
      description: "A model to time beside this one, on the same device in the same job.",
      example: "model_4k2v9x",
    }),
    runs: z.number().int().min(3).max(1000).default(20),
  })
  .openapi("BenchmarkRequest");

export const Verify = z
  .strictObject({
    ...place,
    original: z.string().max(64).openapi({
      description: "What the model is compared with.",
      example: "model_4k2v9x",
    }),
  })
  .openapi("VerifyRequest");

const answer = {
  headers: z.object({ Location: z.string() }),
  content: { "application/json": { schema: JobSchema } },
};

function route<Name extends "benchmark" | "verify", S extends z.ZodType>(
  name: Name,
  schema: S,
  summary: string,
  description: string,
) {
  return createRoute({
    method: "post",
    path: `/v1/models/{id}/${name}`,
    operationId: `${name}Model`,
    tags: ["Measure"],
    summary,
    description,
    request: {
      params: idParam("model", "model_4k2v9x"),
      headers: IdempotencyHeaders.extend(PreferHeader.shape),
      body: { required: true, content: { "application/json": { schema } } },
    },
    responses: {
      200: {
        description: "The job is over, within the time that `Prefer: wait` gave it.",
        ...answer,
      },
      202: { description: "The job.", ...answer },
      ...problems(400, 404, 409, 422, 503),
    },
  });
}

const benchmark = route(
  "benchmark",
  Benchmark,
  "Time a model",
  "Latency of one run on made-up inputs: median, 90th percentile and least, in milliseconds.",
);
const verify = route(
  "verify",
  Verify,
  "Compare a model with its original",
  "Loads and runs both, on the device that is asked for: per-output cosine, SQNR and largest error.",
);

export const measurements = createRouter()
  .openapi(benchmark, async (c) => {
    const options = c.req.valid("json");
    const { id } = await requireModel(c, c.req.valid("param").id);
    const { executor, backend, original, runs } = options;
    return await idempotent(c, await sha256Hex(JSON.stringify(options)), async () => {
      const job = await orderMeasurement(c.env, c.get("workspace"), {
        kind: "benchmark",
        modelId: id,
        originalId: original,
        executor,
        backend,
        spec: { runs },
        options,
      });
      return await waitFor(c, job);
    });
  })
  .openapi(verify, async (c) => {
    const options = c.req.valid("json");
    const { id } = await requireModel(c, c.req.valid("param").id);
    const { executor, backend, original } = options;
    return await idempotent(c, await sha256Hex(JSON.stringify(options)), async () => {
      const job = await orderMeasurement(c.env, c.get("workspace"), {
        kind: "verify",
        modelId: id,
        originalId: original,
        executor,
        backend,
        spec: {},
        options,
      });
      return await waitFor(c, job);
    });
  });
