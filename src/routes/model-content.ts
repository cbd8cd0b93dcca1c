/** @file /v1/models/{id}/content and /files/{location}: the bytes, whole or by ranges. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { findFile, type ModelFile } from "../store/models.ts";
import { StoredObjectError } from "../store/r2-source.ts";
import { type ByteRange, selectBytes } from "./byte-range.ts";
import { type AppContext, createRouter } from "./context.ts";
import { contentDisposition } from "./content-disposition.ts";
import { requireModel } from "./models.ts";
import { idParam, problems } from "./schemas.ts";

const RangeHeaders = z.object({
  range: z
    .string()
    .optional()
    .openapi({ description: "One range of bytes.", example: "bytes=0-1023" }),
  "if-none-match": z.string().optional(),
  "if-match": z.string().optional(),
  "if-range": z.string().optional(),
});

const binary = { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } };
const contentHeaders = z.object({
  ETag: z.string().openapi({ description: "The SHA-256, quoted." }),
  "Content-Disposition": z.string(),
});
const partHeaders = contentHeaders.extend({ "Content-Range": z.string() });

const responses = {
  200: { description: "The bytes.", headers: contentHeaders, content: binary },
  206: { description: "The range of them.", headers: partHeaders, content: binary },
  304: { description: "The ETag is the same." },
  ...problems(404, 412, 416, 503),
};

const content = createRoute({
  method: "get",
  path: "/v1/models/{id}/content",
  operationId: "downloadModel",
  tags: ["Models"],
  summary: "Download a model",
  request: { params: idParam("model", "model_4k2v9x"), headers: RangeHeaders },
  responses,
});

const file = createRoute({
  method: "get",
  path: "/v1/models/{id}/files/{location}",
  operationId: "downloadModelFile",
  tags: ["Models"],
  summary: "Download an external data file",
  request: {
    params: idParam("model", "model_4k2v9x").extend({
      location: z.string().openapi({
        description: "As in `external_data`; slashes are escaped as %2F.",
        example: "weights.bin",
      }),
    }),
    headers: RangeHeaders,
  },
  responses,
});

export const modelContent = createRouter()
  .openapi(content, async (c) => {
    const model = await requireModel(c, c.req.valid("param").id);
    return await sendFile(c, model.id, "", model.name);
  })
  .openapi(file, async (c) => {
    const { id, location } = c.req.valid("param");
    return await sendFile(c, id, location, location.slice(location.lastIndexOf("/") + 1));
  });

async function sendFile(
  c: AppContext,
  id: string,
  location: string,
  name: string,
): Promise<Response> {
  const found = await findFile(c.env.DB, c.get("workspace"), id, location);
  if (!found) {
    throw new ApiError(
      "not_found",
      `there is no model ${id}${location && ` with a file "${location}"`}`,
    );
  }
  const etag = `"${found.sha256}"`;
  const headers = new Headers({
    ETag: etag,
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",
    "Content-Type": "application/octet-stream",
    "Content-Disposition": contentDisposition(name),
  });
  const selection = selectBytes(c.req.raw.headers, etag, found.bytes);
  switch (selection.kind) {
    case "not_modified":
      return new Response(null, { status: 304, headers });
    case "precondition_failed":
      throw new ApiError("precondition_failed", `the content's ETag is ${etag}`);
    case "not_satisfiable":
      throw new ApiError(
        "range_not_satisfiable",
        `the file has ${found.bytes} bytes`,
        {},
        {
          "Content-Range": `bytes */${found.bytes}`,
        },
      );
    case "whole":
      return await send(c, found, { offset: 0, length: found.bytes }, 200, headers);
    case "part": {
      const { offset, length } = selection.range;
      headers.set("Content-Range", `bytes ${offset}-${offset + length - 1}/${found.bytes}`);
      return await send(c, found, selection.range, 206, headers);
    }
  }
}

/** A body of known length, so that the client sees how much is coming; for HEAD only the length. */
async function send(
  c: AppContext,
  file: ModelFile & { key: string },
  range: ByteRange,
  status: 200 | 206,
  headers: Headers,
): Promise<Response> {
  if (c.req.method === "HEAD") {
    headers.set("Content-Length", String(range.length));
    return new Response(null, { status, headers });
  }
  const object = await c.env.BLOBS.get(file.key, { range });
  if (!object) throw new StoredObjectError(`the object ${file.key} is gone`);
  const { readable, writable } = new FixedLengthStream(range.length);
  // Fails when the client leaves early, which is its right.
  c.executionCtx.waitUntil(object.body.pipeTo(writable).catch(() => undefined));
  return new Response(readable, { status, headers });
}
