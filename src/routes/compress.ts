/** @file /v1/quantize, /v1/prune, /v1/simplify and the same on stored models, as jobs: six routes of one shape. */
import { createRoute, z } from "@hono/zod-openapi";
import type { CompressOperation, CompressRequest } from "../compress/types.ts";
import { orderJob } from "../jobs/jobs.ts";
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import { jsonBody } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { jobAnswers, JobHeaders, waitFor } from "./prefer-wait.ts";
import { requireModel } from "./models.ts";
import { compressBody } from "./one-shot.ts";
import { PRUNE_OPTION_NAMES, PruneOptions, PruneQuery, pruneRequest } from "./prune-options.ts";
import {
  QUANTIZE_OPTION_NAMES,
  QuantizeOptions,
  QuantizeQuery,
  quantizeRequest,
} from "./quantize-options.ts";
import {
  SIMPLIFY_OPTION_NAMES,
  SimplifyOptions,
  SimplifyQuery,
  simplifyRequest,
} from "./simplify-options.ts";
import { resultName } from "../jobs/result-name.ts";
import { idParam, problems } from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const binary = z.string().openapi({ format: "binary" });

const Form = z
  .object({ model: binary, samples: binary.optional() })
  .catchall(binary)
  .openapi("CompressForm", {
    description:
      "A part `model`, optionally `samples` (an .npz of inputs to verify with), and one part per external data file.",
  });

interface Operation {
  name: CompressOperation;
  verb: string;
  about: string;
  query: z.ZodObject;
  options: z.ZodObject;
  names: readonly string[];
  request: (given: Record<string, unknown>) => CompressRequest;
}

const SMALLER =
  "Takes an ONNX model and answers with the smaller one, loaded by ONNX Runtime and run beside the original. " +
  "A result that is not smaller, or not close enough, is a 422 with the report.";

const OPERATIONS: readonly Operation[] = [
  {
    name: "quantize",
    verb: "Quantize",
    about: SMALLER,
    query: QuantizeQuery,
    options: QuantizeOptions,
    names: QUANTIZE_OPTION_NAMES,
    request: quantizeRequest,
  },
  {
    name: "prune",
    verb: "Prune",
    about: SMALLER,
    query: PruneQuery,
    options: PruneOptions,
    names: PRUNE_OPTION_NAMES,
    request: pruneRequest,
  },
  {
    name: "simplify",
    verb: "Simplify",
    about:
      "Takes an ONNX model and answers with one of fewer nodes and the same answers, loaded by ONNX Runtime and run beside the original. " +
      "Where there is nothing to do, the answer is the model as it was, and the report says so. A result whose answers are others is a 422 with the report.",
    query: SimplifyQuery,
    options: SimplifyOptions,
    names: SIMPLIFY_OPTION_NAMES,
    request: simplifyRequest,
  },
];

export const compressions = createRouter();

for (const operation of OPERATIONS) {
  addFilter(operation);
  addJob(operation);
}

/** POST /v1/quantize: model in, model out. */
function addFilter({ name, verb, about, query, names, request }: Operation): void {
  const route = createRoute({
    hide: true,
    method: "post",
    path: `/v1/${name}`,
    operationId: `${name}Model`,
    tags: ["Compress"],
    summary: `${verb} a model`,
    description: `${about} The call has no side effect but the report, so it may be repeated.`,
    request: {},
    responses: {
      200: {
        description: "The model.",
        headers: z.object({
          "Hone-Report": z.string().openapi({ description: "The report's headline as JSON." }),
          Link: z
            .string()
            .openapi({ description: 'The full report: `</v1/reports/{id}>; rel="report"`.' }),
          "Content-Disposition": z.string(),
        }),
        content: { "application/octet-stream": { schema: binary } },
      },
      ...problems(400, 413, 415, 422, 503),
    },
  });
  compressions.openapi(route, async (c) => {
    const given = query.safeParse(queryOf(c));
    if (!given.success) throw invalidRequest(given.error.issues, "query", names);
    return await compressBody(c, request(given.data));
  });
  documentBody(
    compressions,
    { ...route, request: { query } },
    {
      "application/octet-stream": { schema: binary },
      "multipart/form-data": { schema: Form },
    },
  );
}

/** POST /v1/models/{id}/quantize: a job on a stored model. */
function addJob({ name, verb, options, names, request }: Operation): void {
  const route = createRoute({
    hide: true,
    method: "post",
    path: `/v1/models/{id}/${name}`,
    operationId: `create${verb}Job`,
    tags: ["Compress"],
    summary: `${verb} a stored model`,
    description:
      "Starts a job whose result is a new model. Follow it at /v1/jobs/{id} or its events.",
    request: { params: idParam("model", "model_4k2v9x"), headers: JobHeaders },
    responses: {
      ...jobAnswers,
      ...problems(400, 404, 409, 422, 503),
    },
  });
  compressions.openapi(route, async (c) => {
    const { text, value } = await jsonBody(c);
    const given = options.safeParse(value);
    if (!given.success) throw invalidRequest(given.error.issues, "json", names);
    const wanted = request(given.data);
    const { id, name: modelName } = await requireModel(c, c.req.valid("param").id);
    return await idempotent(c, await sha256Hex(text), async () => {
      const order = { id, resultName: resultName(modelName, wanted) };
      const job = await orderJob(c.env, c.get("workspace"), order, wanted);
      if (!job) throw new ApiError("not_found", `there is no model ${id}`);
      return await waitFor(c, job);
    });
  });
  documentBody(compressions, route, { "application/json": { schema: options } });
}

/** Every value as text, or as a list of texts where a name is repeated. */
function queryOf(c: AppContext): Record<string, string | string[]> {
  const all = Object.entries(c.req.queries());
  return Object.fromEntries(
    all.map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]),
  );
}
