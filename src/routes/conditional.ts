/**
 * @file Conditional requests on single resources (RFC 9110 §13): reads answer a strong ETag of their JSON, If-None-Match
 * spares it, If-Match on a deletion refuses where the resource is another one by now.
 */
import type { MiddlewareHandler } from "hono";
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import { checkConditions } from "./byte-range.ts";
import type { AppContext, AppEnv } from "./context.ts";

/** One item of a collection, or the workspace; in openapi.yaml as on the wire. */
export const RESOURCE = /^\/v1\/(workspace|[^/]+\/[^/]+)$/;

/**
 * The platform compresses JSON on its way out and makes a strong ETag weak in doing so, which no If-Match may be compared
 * with: `no-transform` forbids both.
 */
const CACHE_CONTROL = "private, no-cache, no-transform";

/** @param read answers a GET like any caller's, with the key's scopes and limits */
export function conditional(
  read: (request: Request, c: AppContext) => Response | Promise<Response>,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { method, path } = c.req;
    if ((c.get("workspace") as string | undefined) === undefined || !RESOURCE.test(path)) {
      return await next();
    }
    if (method === "GET" || method === "HEAD") {
      await next();
      return await tag(c);
    }
    if (method !== "DELETE" || c.req.header("If-Match") === undefined) return await next();
    const current = await read(readOf(c), c);
    // The deletion itself says that there is nothing.
    if (current.status === 404) return await next();
    if (!current.ok) return current;
    const etag = current.headers.get("ETag") ?? "";
    if (checkConditions(c.req.raw.headers, etag)) throw mismatch(etag);
    return await next();
  };
}

/** The same resource, read by the same key under the same request's name. */
function readOf(c: AppContext): Request {
  const headers = {
    Authorization: c.req.header("Authorization") ?? "",
    "X-Request-Id": c.get("requestId"),
  };
  return new Request(c.req.url, { headers });
}

async function tag(c: AppContext): Promise<void> {
  const { status, headers } = c.res;
  if (status !== 200 || !headers.get("Content-Type")?.startsWith("application/json")) return;
  const etag = `"${await sha256Hex(await c.res.clone().text())}"`;
  headers.set("ETag", etag);
  headers.set("Cache-Control", CACHE_CONTROL);
  const outcome = checkConditions(c.req.raw.headers, etag);
  if (outcome === "precondition_failed") throw mismatch(etag);
  if (outcome === "not_modified") c.res = new Response(null, { status: 304, headers });
}

function mismatch(etag: string): ApiError {
  return new ApiError("precondition_failed", `the ETag is ${etag}`);
}
