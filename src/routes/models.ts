/** @file /v1/models: add, list, get and delete models. */
import { createRoute, z } from "@hono/zod-openapi";
import { importUrl } from "../import/import-url.ts";
import { ApiError } from "../problem/api-error.ts";
import { newId } from "../store/id.ts";
import { deleteModel, findModel, listModels } from "../store/models.ts";
import { TemporaryObjects } from "../store/temporary-objects.ts";
import { storeModel } from "../jobs/store-model.ts";
import { jsonBody } from "./body.ts";
import { type AppContext, createRouter } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { Model, modelBody } from "./model-schema.ts";
import { fingerprintOf, type ReceivedModel, receiveModel } from "./receive-model.ts";
import { IdempotencyHeaders, idParam, pageBody, pageOf, PageQuery, problems } from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const bytes = z.string().openapi({ format: "binary" });

const ImportRequest = z
  .strictObject({ url: z.url().max(2000).openapi({ example: "https://example.com/model.onnx" }) })
  .openapi("ImportRequest");

const Form = z
  .object({ model: bytes })
  .catchall(bytes)
  .openapi("ModelForm", { description: "A part `model`, and one part per external data file, named by its location." });

const NameQuery = z.strictObject({
  name: z.string().min(1).max(200).optional().openapi({ description: "A name to show.", example: "resnet18.onnx" }),
});

const create = createRoute({
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
/** Described here and read by hand: bodies stream, and a content type other than these three is taken as bytes. */
Object.assign(create.request, {
  body: {
    required: true,
    content: {
      "application/octet-stream": { schema: bytes },
      "multipart/form-data": { schema: Form },
      "application/json": { schema: ImportRequest },
    },
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
    200: { description: "Newest first.", content: { "application/json": { schema: pageOf(Model, "ModelList") } } },
    ...problems(400),
  },
});
