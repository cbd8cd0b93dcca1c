/** @file /v1/models/{id}/benchmark, /verify, /evaluate and /calibrate: how fast, close and good a stored model is, and the ranges of its values. */
import { createRoute, z } from "@hono/zod-openapi";
import type { JobView } from "../jobs/job-view.ts";
import { type CalibrationRequest, orderCalibration } from "../jobs/measure/order-calibration.ts";
import { orderEvaluation } from "../jobs/measure/order-evaluation.ts";
import { orderMeasurement } from "../jobs/measure/order-measurement.ts";
import { sha256Hex } from "../store/id.ts";
import { Calibrate } from "./calibration-options.ts";
import { type AppContext, createRouter } from "./context.ts";
import { Evaluate, place } from "./evaluate-options.ts";
import { idempotent } from "./idempotency.ts";
import { requireModel } from "./models.ts";
import { jobAnswers, JobHeaders, waitFor } from "./prefer-wait.ts";
import { idParam, problems } from "./schemas.ts";

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

function route<Name extends "benchmark" | "verify" | "evaluate" | "calibrate", S extends z.ZodType>(
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

const evaluate = route(
  "evaluate",
  Evaluate,
  "Measure a model on a dataset",
  "Runs the model on each row and holds its output against the label, on a runner or in the Worker; figures of one " +
    "model and dataset differ between them by less than 0.001 in losses, and in shares where scores are nearly equal. " +
    "Model, rows and metrics are checked against each other before the job is accepted.",
);

const calibrate = route(
  "calibrate",
  Calibrate,
  "Find the ranges of a model's values",
  "Runs the model with its inner values as outputs and answers with the least and the largest of each, and the range " +
    "that the method makes of them: what static quantization calibrates with. A value that was NaN or Inf is in `unusable`.",
);

export const measurements = createRouter()
  .openapi(benchmark, async (c) => {
    const options = c.req.valid("json");
    const { runs, ...named } = options;
    return await measure(c, c.req.valid("param").id, options, (modelId) =>
      orderMeasurement(c.env, c.get("workspace"), {
        ...compared(named, modelId),
        kind: "benchmark",
        spec: { runs },
        options,
      }),
    );
  })
  .openapi(verify, async (c) => {
    const options = c.req.valid("json");
    return await measure(c, c.req.valid("param").id, options, (modelId) =>
      orderMeasurement(c.env, c.get("workspace"), {
        ...compared(options, modelId),
        kind: "verify",
        spec: {},
        options,
      }),
    );
  })
  .openapi(evaluate, async (c) => {
    const options = c.req.valid("json");
    return await measure(c, c.req.valid("param").id, options, (modelId) =>
      orderEvaluation(c.env, c.get("workspace"), modelId, options),
    );
  })
  .openapi(calibrate, async (c) => {
    const options = c.req.valid("json");
    return await measure(c, c.req.valid("param").id, options, (modelId) =>
      orderCalibration(c.env, c.get("workspace"), modelId, options as CalibrationRequest),
    );
  });

function compared(
  {
    executor,
    backend,
    original,
  }: Pick<z.infer<typeof Benchmark>, "executor" | "backend" | "original">,
  modelId: string,
) {
  return { modelId, originalId: original, executor, backend };
}

async function measure(
  c: AppContext,
  id: string,
  options: Record<string, unknown>,
  order: (modelId: string) => Promise<JobView>,
) {
  const { id: modelId } = await requireModel(c, id);
  return await idempotent(c, await sha256Hex(JSON.stringify(options)), async () =>
    waitFor(c, await order(modelId)),
  );
}
