/** @file /v1/uploads: a model in parts, for bodies that are too large or lines that break. */
import { createRoute, z } from "@hono/zod-openapi";
import { storeModel } from "../jobs/store-model.ts";
import { ApiError } from "../problem/api-error.ts";
import { apiErrorOf } from "../problem/from-error.ts";
import { sha256Hex } from "../store/id.ts";
import { TemporaryObjects } from "../store/temporary-objects.ts";
import {
  abortUpload,
  claimUpload,
  createUpload,
  findUpload,
  listUploads,
  joinParts,
  putPart,
  setUploadState,
  type Upload,
} from "../store/uploads.ts";
import { bodyChunks, declaredBytes, jsonBody } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { Model, modelBody } from "./model-schema.ts";
import { requireModel } from "./models.ts";
import {
  IdempotencyHeaders,
  idParam,
  json,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
} from "./schemas.ts";
import { checkParts, MAX_PARTS } from "./upload-parts.ts";
import { invalidRequest } from "./validation.ts";

/** A part without Content-Length is held in memory. */
const MAX_BUFFERED_BYTES = 16 << 20;

const Part = z.object({ number: z.number().int(), bytes: z.number().int() }).openapi("UploadPart");

const UploadSchema = z
  .object({
    id: z.string().openapi({ example: "upload_7h2k" }),
    object: z.literal("upload"),
    name: z.string(),
    state: z.enum(["open", "completing", "completed", "aborted"]),
    files: z.array(
      z.object({
        location: z.string().openapi({ description: "Empty for the model itself." }),
        bytes: z.number().int(),
        parts: z.array(Part),
      }),
    ),
    model_id: z.string().nullable(),
    created_at: Timestamp,
    expires_at: Timestamp,
  })
  .openapi("Upload");

const NewUpload = z
  .strictObject({
    name: z.string().min(1).max(200).default("model.onnx").openapi({ example: "large.onnx" }),
  })
  .openapi("NewUploadRequest");

const uploadAnswer = { content: { "application/json": { schema: UploadSchema } } };
const id = idParam("upload", "upload_7h2k");

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/uploads",
  operationId: "createUpload",
  tags: ["Uploads"],
  summary: "Start an upload",
  description:
    "An upload takes a model and its external data files in parts, and expires after 24 hours.",
  request: { headers: IdempotencyHeaders },
  responses: { 201: { description: "The upload.", ...uploadAnswer }, ...problems(400, 409, 422) },
});

const list = createRoute({
  method: "get",
  path: "/v1/uploads",
  operationId: "listUploads",
  tags: ["Uploads"],
  summary: "List uploads",
  description: "Those that have not expired, ended ones too.",
  request: { query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(UploadSchema, "UploadList")) },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/uploads/{id}",
  operationId: "getUpload",
  tags: ["Uploads"],
  summary: "Get an upload",
  description: "Lists the parts that arrived, so that an interrupted upload can go on.",
  request: { params: id },
  responses: { 200: { description: "The upload.", ...uploadAnswer }, ...problems(404) },
});

const put = createRoute({
  hide: true,
  method: "put",
  path: "/v1/uploads/{id}/parts/{number}",
  operationId: "uploadPart",
  tags: ["Uploads"],
  summary: "Send a part",
  description:
    "Parts may come in any order and several at once; one that is sent again replaces the first. " +
    "All parts of a file have one size of at least 5 MiB, but the last, which may be smaller.",
  request: {
    params: id.extend({
      number: z.coerce
        .number()
        .int()
        .min(1)
        .max(MAX_PARTS)
        .openapi({ description: "From 1 on.", example: 1 }),
    }),
    query: z.strictObject({
      location: z.string().max(1000).default("").openapi({
        description: "For an external data file: its location as the model spells it.",
        example: "weights.bin",
      }),
    }),
  },
  responses: {
    200: { description: "The part is stored.", content: { "application/json": { schema: Part } } },
    ...problems(400, 404, 409, 413, 503),
  },
});

const complete = createRoute({
  method: "post",
  path: "/v1/uploads/{id}/complete",
  operationId: "completeUpload",
  tags: ["Uploads"],
  summary: "Make the model of the parts",
  description:
    "The model is read and checked; if it is refused, the upload ends and its bytes are deleted.",
  request: { params: id, headers: IdempotencyHeaders },
  responses: {
    201: {
      description: "The model.",
      headers: z.object({ Location: z.string() }),
      content: { "application/json": { schema: Model } },
    },
    ...problems(400, 404, 409, 413, 415, 422, 503),
  },
});

const abort = createRoute({
  method: "delete",
  path: "/v1/uploads/{id}",
  operationId: "abortUpload",
  tags: ["Uploads"],
  summary: "Abort an upload",
  request: { params: id },
  responses: { 204: { description: "Its bytes are deleted." }, ...problems(404, 409) },
});

export const uploads = createRouter()
  .openapi(create, async (c) => {
    const { text, value } = await jsonBody(c);
    const request = NewUpload.safeParse(value);
    if (!request.success) throw invalidRequest(request.error.issues, "json", ["name"]);
    return await idempotent(c, await sha256Hex(text), async () => {
      const upload = await createUpload(c.env.DB, c.get("workspace"), request.data.name);
      return c.json(uploadBody(upload), 201, { Location: `/v1/uploads/${upload.id}` });
    });
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listUploads(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, uploadBody), 200);
  })
  .openapi(read, async (c) =>
    c.json(uploadBody(await requireUpload(c, c.req.valid("param").id)), 200),
  )
  .openapi(put, async (c) => {
    const { id: uploadId, number } = c.req.valid("param");
    const upload = await requireUpload(c, uploadId);
    requireOpen(upload);
    const part = { number, ...(await partBody(c)) };
    const { bytes } = await putPart(
      c.env,
      c.get("workspace"),
      upload,
      c.req.valid("query").location,
      part,
    );
    return c.json({ number, bytes }, 200);
  })
  .openapi(complete, async (c) => {
    const upload = await requireUpload(c, c.req.valid("param").id);
    return await idempotent(c, await sha256Hex(upload.id), async () => {
      const model =
        upload.state === "completed" && upload.model_id !== null
          ? await requireModel(c, upload.model_id)
          : await completeUpload(c, upload);
      return c.json(modelBody(model), 201, { Location: `/v1/models/${model.id}` });
    });
  })
  .openapi(abort, async (c) => {
    const upload = await requireUpload(c, c.req.valid("param").id);
    requireOpen(upload);
    await abortUpload(c.env, upload.id);
    return c.body(null, 204);
  });

documentBody(uploads, create, { "application/json": { schema: NewUpload } });
documentBody(uploads, put, {
  "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
});

async function completeUpload(c: AppContext, upload: Upload) {
  requireOpen(upload);
  for (const file of upload.files) checkParts(file);
  if (!upload.files.some(({ location }) => location === "")) {
    throw new ApiError("upload_incomplete", "no part of the model itself arrived");
  }
  if (!(await claimUpload(c.env.DB, upload.id))) {
    throw new ApiError("upload_not_open", `${upload.id} is being completed`);
  }
  try {
    const files = new Map<string, Awaited<ReturnType<typeof joinParts>>>();
    for (const file of upload.files) files.set(file.location, await joinParts(c.env, file));
    const model = files.get("");
    files.delete("");
    if (!model) throw new ApiError("upload_incomplete", "no part of the model itself arrived");
    const workspace = c.get("workspace");
    const objects = new TemporaryObjects(c.env, workspace, upload.id);
    const { name } = upload;
    const stored = await storeModel(c.env, workspace, objects, { name, model, external: files });
    await setUploadState(c.env.DB, upload.id, "completed", stored.id);
    return stored;
  } catch (error) {
    const known = apiErrorOf(error);
    // The model is at fault: nothing to resume. Otherwise the parts stay for another try.
    if (known && known.status < 500) await abortUpload(c.env, upload.id);
    else await setUploadState(c.env.DB, upload.id, "open");
    throw error;
  }
}

async function requireUpload(c: AppContext, uploadId: string): Promise<Upload> {
  const upload = await findUpload(c.env.DB, c.get("workspace"), uploadId);
  if (!upload) throw new ApiError("not_found", `there is no upload ${uploadId}`);
  return upload;
}

function requireOpen({ id: uploadId, state }: Upload): void {
  if (state === "open" || state === "completing") return;
  throw new ApiError("upload_not_open", `${uploadId} is ${state}`);
}

/** The part as a stream where its length is known, as R2 needs it, else as bytes. */
async function partBody(
  c: AppContext,
): Promise<{ bytes: number; body: ReadableStream | Uint8Array }> {
  const declared = declaredBytes(c);
  const limit = Number(c.env.MAX_BODY_BYTES);
  if (declared === 0 || !c.req.raw.body) throw new ApiError("empty_body", "the part is empty");
  if (declared !== undefined && declared > limit) {
    throw new ApiError("body_too_large", `the part has ${declared} bytes, one may have ${limit}`);
  }
  if (declared !== undefined) {
    const { readable, writable } = new FixedLengthStream(declared);
    // A body that ends early fails the upload that reads it.
    c.executionCtx.waitUntil(c.req.raw.body.pipeTo(writable).catch(() => undefined));
    return { bytes: declared, body: readable };
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bodyChunks(c)) {
    bytes += chunk.length;
    if (bytes > MAX_BUFFERED_BYTES) {
      throw new ApiError(
        "body_too_large",
        `a part without Content-Length may have ${MAX_BUFFERED_BYTES} bytes`,
      );
    }
    chunks.push(chunk.slice());
  }
  if (bytes === 0) throw new ApiError("empty_body", "the part is empty");
  return { bytes, body: new Uint8Array(await new Blob(chunks).arrayBuffer()) };
}

function uploadBody(upload: Upload) {
  return {
    id: upload.id,
    object: "upload" as const,
    name: upload.name,
    state: upload.state,
    files: upload.files.map(({ location, parts }) => ({
      location,
      bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
      parts: parts.map(({ number, bytes }) => ({ number, bytes })),
    })),
    model_id: upload.model_id,
    created_at: seconds(upload.created_at),
    expires_at: seconds(upload.expires_at),
  };
}
