/** @file A workspace's most bytes (MAX_STORED_BYTES): at the bound nothing more is taken in. */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import { storedBytes } from "../store/workspaces.ts";
import { declaredBytes } from "./body.ts";
import type { AppEnv } from "./context.ts";

/** What brings bytes that stay: models, uploads and their parts, datasets. */
const STORES = /^\/v1\/(models|datasets|uploads|uploads\/[^/]+\/parts\/.*)$/;

/** Requests at the same time may pass the bound together, by one body each. */
export const limitStorage = createMiddleware<AppEnv>(async (c, next) => {
  const { method, path } = c.req;
  const bound = c.env.MAX_STORED_BYTES;
  const stores = (method === "POST" || method === "PUT") && STORES.test(path);
  if (bound === "" || !stores) return await next();
  const stored = await storedBytes(c.env.DB, c.get("workspace"));
  const more = declaredBytes(c) ?? 0;
  if (stored + more > Number(bound)) {
    throw new ApiError(
      "quota_exceeded",
      `the workspace stores ${stored} bytes, the body has ${more}, and ${bound} may be stored`,
    );
  }
  return await next();
});
