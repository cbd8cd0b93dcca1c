/** @file /v1/models: add, list, get and delete models. */
import { createRoute, z } from "@hono/zod-openapi";
import { importUrl } from "../import/import-url.ts";
import { pokeEvents } from "../jobs/webhooks/dispatch.ts";
import { ApiError } from "../problem/api-error.ts";
import { newId } from "../store/id.ts";
import { deleteModel, findModel, listModels, type StoredModel } from "../store/models.ts";
import { TemporaryObjects } from "../store/temporary-objects.ts";
import { storeModel } from "../jobs/store-model.ts";
import { jsonBody, limited } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { Model, modelBody } from "./model-schema.ts";
import { fingerprintOf, type ReceivedModel, receiveModel, spoolChunks } from "./receive-model.ts";
import { IdempotencyHeaders, idParam, pageBody, pageOf, PageQuery, problems } from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const bytes = z.string().openapi({ format: "binary" });

const ImportRequest = z
  .strictObject({ url: z.url().max(2000).openapi({ example: "https://example.com/model.onnx" }) })
  .openapi("ImportRequest");

const Form = z.object({ model: bytes }).catchall(bytes).openapi("ModelForm", {
  description: "A part `model`, and one part per external data file, named by its location.",
});

const NameQuery = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .openapi({ description: "A name to show.", example: "resnet18.onnx" }),
});

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/models",
  operationId: "createModel",
  tags: ["Models"],
  summary: "Store a model",
  description:
    "Takes the ONNX bytes, a form with the model and its external data files, or a URL to fetch. " +
    "The model is read and checked before it is listed; a refused one leaves nothing behind.",
  request: { query: NameQuery, headers: IdempotencyHeaders },
  responses: {
    201: {
      description: "The model.",
      headers: z.object({ Location: z.string() }),
      content: { "application/json": { schema: Model } },
    },
    ...problems(400, 403, 409, 413, 415, 422, 503),
  },
});
const list = createRoute({
  method: "get",
  path: "/v1/models",
  operationId: "listModels",
  tags: ["Models"],
  summary: "List models",
  request: { query: PageQuery },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(Model, "ModelList") } },
    },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/models/{id}",
  operationId: "getModel",
  tags: ["Models"],
  summary: "Get a model",
  request: { params: idParam("model", "model_4k2v9x") },
  responses: {
    200: { description: "The model.", content: { "application/json": { schema: Model } } },
    ...problems(404),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/models/{id}",
  operationId: "deleteModel",
  tags: ["Models"],
  summary: "Delete a model",
  description:
    "Its bytes go too, unless another model has the same. A model that a job is using stays.",
  request: { params: idParam("model", "model_4k2v9x") },
  responses: { 204: { description: "Deleted." }, ...problems(404, 409) },
});

export const models = createRouter()
  .openapi(create, async (c) => {
    const objects = new TemporaryObjects(c.env, c.get("workspace"), newId("request"));
    try {
      const received = await receive(c, objects);
      return await idempotent(c, await fingerprintOf(received), async () => {
        const { model, external, filename } = received;
        const name = c.req.valid("query").name ?? filename ?? "model.onnx";
        const stored = await storeModel(c.env, c.get("workspace"), objects, {
          name,
          model,
          external,
        });
        return c.json(modelBody(stored), 201, { Location: `/v1/models/${stored.id}` });
      });
    } finally {
      await objects.release();
    }
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listModels(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, modelBody), 200);
  })
  .openapi(read, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(modelBody(await requireModel(c, id)), 200);
  })
  .openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    const outcome = await deleteModel(c.env, c.get("workspace"), id);
    if (outcome === "not_found") throw new ApiError("not_found", `there is no model ${id}`);
    if (outcome === "in_use")
      throw new ApiError("model_in_use", `a job that is not over uses ${id}`);
    await pokeEvents(c.env, { workspace: c.get("workspace") });
    return c.body(null, 204);
  });

// The body streams, so it is documented here and read by hand.
documentBody(models, create, {
  "application/octet-stream": { schema: bytes },
  "multipart/form-data": { schema: Form },
  "application/json": { schema: ImportRequest },
});

/** @throws ApiError 404 for an id that the caller's workspace does not have */
export async function requireModel(c: AppContext, id: string): Promise<StoredModel> {
  const model = await findModel(c.env.DB, c.get("workspace"), id);
  if (!model) throw new ApiError("not_found", `there is no model ${id}`);
  return model;
}

/** The bytes in the body, or those behind the URL in it. */
async function receive(c: AppContext, objects: TemporaryObjects): Promise<ReceivedModel> {
  if (!/^application\/json\b/i.test(c.req.header("Content-Type") ?? "")) {
    return await receiveModel(c, objects, { samples: false });
  }
  const { value } = await jsonBody(c);
  const request = ImportRequest.safeParse(value);
  if (!request.success) throw invalidRequest(request.error.issues, "json", ["url"]);
  const response = await importUrl(request.data.url, c.env);
  const { pathname } = new URL(request.data.url);
  const filename = pathname.slice(pathname.lastIndexOf("/") + 1) || undefined;
  const model = await spoolChunks(limited(response.body, Number(c.env.MAX_BODY_BYTES)), objects);
  return { filename, model, external: new Map(), samples: undefined };
}
