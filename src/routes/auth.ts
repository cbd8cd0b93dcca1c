/** @file Bearer authentication: a key opens exactly one workspace. */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import { findKey } from "../store/keys.ts";
import type { AppEnv } from "./context.ts";

/** Open to all, or with a token of their own. */
const PUBLIC = new Set([
  "/healthz",
  "/docs",
  "/openapi.yaml",
  "/openapi.json",
  "/v1/runners/connect",
  "/v1/ranks/connect",
]);
/** The rest of the path is the permission. */
const SIGNED = "/v1/blobs/";

export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  const { path } = c.req;
  if (PUBLIC.has(path) || path.startsWith(SIGNED)) return await next();
  const header = c.req.header("Authorization");
  const secret = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
  const owner = secret === undefined ? undefined : await findKey(c.env.DB, secret);
  if (!owner) {
    const detail =
      header === undefined
        ? "the request has no Authorization header"
        : secret === undefined
          ? "the Authorization header is not of the form: Bearer <key>"
          : "there is no such key";
    const challenge = secret === undefined ? "" : ', error="invalid_token"';
    throw new ApiError(
      "unauthorized",
      detail,
      {},
      { "WWW-Authenticate": `Bearer realm="hone"${challenge}` },
    );
  }
  c.set("workspace", owner.workspace);
  c.set("keyId", owner.keyId);
  return await next();
});
