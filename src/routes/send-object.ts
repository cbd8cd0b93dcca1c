/** @file A stored object as an answer: whole or a range of it, or that it has not changed. */
import { ApiError } from "../problem/api-error.ts";
import { StoredObjectError } from "../store/r2-source.ts";
import { type ByteRange, selectBytes } from "./byte-range.ts";
import type { AppContext } from "./context.ts";
import { goesGzipped, gzipped } from "./gzip.ts";
import { countUsage } from "./usage-meter.ts";

export interface StoredObject {
  key: string;
  sha256: string;
  bytes: number;
}

/**
 * @param mayEncode gzip where it pays; the ETag is a weak one then, since these are other bytes of the same content
 * @throws ApiError for a range or a condition that cannot be met; StoredObjectError where the object is gone
 */
export async function sendObject(
  c: AppContext,
  object: StoredObject,
  furtherHeaders: Record<string, string>,
  mayEncode = false,
): Promise<Response> {
  const etag = `"${object.sha256}"`;
  const isEncoded = mayEncode && (await goesGzipped(c, object));
  const headers = new Headers({
    ETag: isEncoded ? `W/${etag}` : etag,
    ...(mayEncode ? { Vary: "Accept-Encoding" } : {}),
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    ...furtherHeaders,
  });
  const { bytes } = object;
  const selection = selectBytes(c.req.raw.headers, etag, bytes);
  switch (selection.kind) {
    case "not_modified":
      return new Response(null, { status: 304, headers });
    case "precondition_failed":
      throw new ApiError("precondition_failed", `the content's ETag is ${etag}`);
    case "not_satisfiable":
      throw new ApiError(
        "range_not_satisfiable",
        `the file has ${bytes} bytes`,
        {},
        { "Content-Range": `bytes */${bytes}` },
      );
    case "whole":
      if (isEncoded) return await sendGzipped(c, object, headers);
      return await send(c, object, { offset: 0, length: bytes }, 200, headers);
    case "part": {
      const { offset, length } = selection.range;
      headers.set("Content-Range", `bytes ${offset}-${offset + length - 1}/${bytes}`);
      return await send(c, object, selection.range, 206, headers);
    }
  }
}

/** A body of known length, so that the client sees how much is coming; for HEAD only the length. */
async function send(
  c: AppContext,
  { key }: StoredObject,
  range: ByteRange,
  status: 200 | 206,
  headers: Headers,
): Promise<Response> {
  if (c.req.method === "HEAD") {
    headers.set("Content-Length", String(range.length));
    return new Response(null, { status, headers });
  }
  const object = await c.env.BLOBS.get(key, { range });
  if (!object) throw new StoredObjectError(`the object ${key} is gone`);
  c.set("bytesOut", range.length);
  const { readable, writable } = new FixedLengthStream(range.length);
  // Fails when the client leaves early, which is its right.
  c.executionCtx.waitUntil(object.body.pipeTo(writable).catch(() => undefined));
  return new Response(readable, { status, headers });
}

/** Of a length that nobody knows yet. */
async function sendGzipped(
  c: AppContext,
  { key }: StoredObject,
  headers: Headers,
): Promise<Response> {
  headers.set("Content-Encoding", "gzip");
  // Left to itself, the platform would compress what says that it is compressed.
  const init = { headers, encodeBody: "manual" } as const;
  if (c.req.method === "HEAD") return new Response(null, init);
  const object = await c.env.BLOBS.get(key);
  if (!object) throw new StoredObjectError(`the object ${key} is gone`);
  let sent = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.length;
      controller.enqueue(chunk);
    },
    flush() {
      countUsage(c, c.get("workspace"), { requests: 0, bytes_in: 0, bytes_out: sent });
    },
  });
  return new Response(gzipped(object.body).pipeThrough(count), init);
}
