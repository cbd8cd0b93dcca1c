/** @file /v1/models/{id}/content and /files/{location}: the bytes, whole or by ranges. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { findFile } from "../store/models.ts";
import { type AppContext, createRouter } from "./context.ts";
import { contentDisposition } from "./content-disposition.ts";
import { requireModel } from "./models.ts";
import { idParam, problems } from "./schemas.ts";
import { sendObject } from "./send-object.ts";

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
  ETag: z.string().openapi({ description: "The SHA-256, quoted; weak where gzip is on it." }),
  "Content-Disposition": z.string(),
});
const partHeaders = contentHeaders.extend({ "Content-Range": z.string() });

const wholeHeaders = contentHeaders.extend({
  "Content-Encoding": z.enum(["gzip"]).optional(),
  Vary: z.string(),
});

const responses = {
  200: { description: "The bytes.", headers: wholeHeaders, content: binary },
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
  description:
    "Whole files come through gzip where the client takes it and a sample says that it pays: pruned models with dense " +
    "zeros. Ranges are of the file's own bytes.",
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
  const headers = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": contentDisposition(name),
  };
  return await sendObject(c, found, headers, true);
}
