/** @file A stored object as an answer: whole or a range of it, or that it has not changed. */
import { ApiError } from "../problem/api-error.ts";
import { StoredObjectError } from "../store/r2-source.ts";
import { type ByteRange, selectBytes } from "./byte-range.ts";
import type { AppContext } from "./context.ts";

export interface StoredObject {
  key: string;
  sha256: string;
  bytes: number;
}

/** @throws ApiError for a range or a condition that cannot be met; StoredObjectError where the object is gone */
export async function sendObject(
  c: AppContext,
  object: StoredObject,
  furtherHeaders: Record<string, string>,
): Promise<Response> {
  const etag = `"${object.sha256}"`;
  const headers = new Headers({
    ETag: etag,
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
