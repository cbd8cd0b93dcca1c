/** @file /v1/models/{id}/benchmark and /verify: how fast and how close a stored model is, on a runner or in the Worker. */
import { createRoute, z } from "@hono/zod-openapi";
import { EXECUTORS, type MeasurementKind } from "../jobs/measure/measurement.ts";
import { orderMeasurement } from "../jobs/measure/order-measurement.ts";
import { Backend } from "../runner/protocol.ts";
import { sha256Hex } from "../store/id.ts";
import { type AppContext, createRouter } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { requireModel } from "./models.ts";
import { jobAnswers, JobHeaders, waitFor } from "./prefer-wait.ts";
import { idParam, problems } from "./schemas.ts";

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
      headers: JobHeaders,
      body: { required: true, content: { "application/json": { schema } } },
    },
    responses: {
      ...jobAnswers,
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
    return await order(c, "benchmark", c.req.valid("param").id, options, { runs: options.runs });
  })
  .openapi(verify, async (c) =>
    order(c, "verify", c.req.valid("param").id, c.req.valid("json"), {}),
  );

/** @param spec what the kind's program reads */
async function order(
  c: AppContext,
  kind: MeasurementKind,
  id: string,
  options: z.infer<typeof Benchmark> | z.infer<typeof Verify>,
  spec: Record<string, unknown>,
) {
  const { id: modelId } = await requireModel(c, id);
  const { executor, backend, original: originalId } = options;
  return await idempotent(c, await sha256Hex(JSON.stringify(options)), async () => {
    const wanted = { kind, modelId, originalId, executor, backend, spec, options };
    return await waitFor(c, await orderMeasurement(c.env, c.get("workspace"), wanted));
  });
}
