/** @file /v1/blobs/{grant}: single objects by short-lived signed addresses, for runners. The address is the permission. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { type BlobGrant, readGrant } from "../store/signed-blobs.ts";
import { StoredObjectError } from "../store/r2-source.ts";
import { declaredBytes } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { problemsOnly } from "./schemas.ts";
import { sendObject } from "./send-object.ts";

const params = z.strictObject({
  grant: z
    .string()
    .max(4000)
    .openapi({ description: "What the service signed.", example: "eyJrZXkiOi4uLn0.c2lnbmF0dXJl" }),
});
const binary = { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } };

const read = createRoute({
  method: "get",
  path: "/v1/blobs/{grant}",
  operationId: "readBlob",
  tags: ["Runners"],
  summary: "Read an object by a signed address",
  security: [],
  request: { params, headers: z.object({ range: z.string().optional() }) },
  responses: {
    200: { description: "The bytes.", content: binary },
    206: { description: "The range of them.", content: binary },
    304: { description: "The ETag is the same." },
    ...problemsOnly(404, 412, 416, 500, 503),
  },
});

const write = createRoute({
  hide: true,
  method: "put",
  path: "/v1/blobs/{grant}",
  operationId: "writeBlob",
  tags: ["Runners"],
  summary: "Write an object by a signed address",
  security: [],
  request: { params },
  responses: {
    204: { description: "It is stored." },
    ...problemsOnly(400, 404, 411, 413, 500, 503),
  },
});

export const signedBlobs = createRouter()
  .openapi(read, async (c) => {
    const grant = await requireGrant(c, "GET");
    try {
      return await sendObject(c, grant, { "Cache-Control": "private, max-age=600" });
    } catch (error) {
      // An address may outlive what it is of.
      if (error instanceof StoredObjectError) throw new ApiError("not_found", "it was deleted");
      throw error;
    }
  })
  .openapi(write, async (c) => {
    const { key, maxBytes } = await requireGrant(c, "PUT");
    const bytes = declaredBytes(c);
    if (bytes === undefined) throw new ApiError("length_required", "a PUT says its Content-Length");
    if (bytes > maxBytes) {
      throw new ApiError("body_too_large", `there are ${bytes} bytes, ${maxBytes} may be put`);
    }
    if (!c.req.raw.body) throw new ApiError("empty_body", "there are no bytes");
    const { readable, writable } = new FixedLengthStream(bytes);
    c.executionCtx.waitUntil(c.req.raw.body.pipeTo(writable).catch(() => undefined));
    await c.env.BLOBS.put(key, readable);
    return c.body(null, 204);
  });

documentBody(signedBlobs, write, binary);

/** @throws ApiError 404 for addresses that were not signed here, have expired, or are for something else */
async function requireGrant<M extends BlobGrant["method"]>(
  c: AppContext,
  method: M,
): Promise<Extract<BlobGrant, { method: M }>> {
  const grant = await readGrant(c.env.SIGNING_SECRET, c.req.param("grant") ?? "");
  if (grant?.method === method) return grant as Extract<BlobGrant, { method: M }>;
  throw new ApiError("not_found", "the address was not signed here, or has expired");
}
