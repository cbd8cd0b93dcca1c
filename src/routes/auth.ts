/** @file Bearer authentication: a key opens exactly one workspace, as far as its scopes go. */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import { type KeyOwner, touchKey } from "../store/keys.ts";
import { knownKey } from "../store/known-keys.ts";
import type { AppContext, AppEnv } from "./context.ts";
import { neededScope } from "./scopes.ts";

/** Open to all, or with a token of their own. */
const PUBLIC = new Set([
  "/healthz",
  "/readyz",
  "/docs",
  "/openapi.yaml",
  "/openapi.json",
  "/v1/runners/connect",
  "/v1/ranks/connect",
]);
/** The rest of the path is the permission. */
const SIGNED = "/v1/blobs/";
/** Webhooks in: the sender signs. */
const HOOK = /^\/v1\/hooks\/[^/]+$/;

export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  const { method, path } = c.req;
  if (PUBLIC.has(path) || path.startsWith(SIGNED)) return await next();
  if (method === "POST" && HOOK.test(path)) return await next();
  const secret = bearerOf(c.req.header("Authorization"));
  if (path === "/metrics" && (await isToken(c.env.METRICS_TOKEN, secret))) return await next();
  const owner = secret === undefined ? undefined : await knownKey(c.env, secret);
  if (!owner || secret === undefined) throw unauthorized(c, secret);
  if (owner.expiresAt !== null && owner.expiresAt <= Date.now()) {
    throw unauthorized(c, secret, `the key expired at ${new Date(owner.expiresAt).toISOString()}`);
  }
  c.set("workspace", owner.workspace);
  c.set("keyId", owner.keyId);
  c.executionCtx.waitUntil(touch(c, owner));
  const scope = neededScope(method, path);
  if (!owner.scopes.includes(scope)) {
    throw new ApiError(
      "insufficient_scope",
      `this needs a key with the scope "${scope}"; this key has ${owner.scopes.join(", ")}`,
      {},
      {
        "WWW-Authenticate": `Bearer realm="hone", error="insufficient_scope", scope="${scope}"`,
      },
    );
  }
  return await next();
});

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

function unauthorized(c: AppContext, secret: string | undefined, expired?: string): ApiError {
  const missing =
    c.req.header("Authorization") === undefined
      ? "the request has no Authorization header"
      : "the Authorization header is not of the form: Bearer <key>";
  const detail = secret === undefined ? missing : (expired ?? "there is no such key");
  // RFC 6750, section 3.1
  const challenge = secret === undefined ? "" : ', error="invalid_token"';
  return new ApiError(
    "unauthorized",
    detail,
    {},
    { "WWW-Authenticate": `Bearer realm="hone"${challenge}` },
  );
}

async function touch(c: AppContext, owner: KeyOwner): Promise<void> {
  await touchKey(c.env.DB, owner).catch((error: unknown) => {
    console.error(JSON.stringify({ key: owner.keyId, last_used_at: "not written" }), error);
  });
}

/** Compares hashes, so that the time taken tells nothing of the token. */
async function isToken(token: string, given: string | undefined): Promise<boolean> {
  if (!token || given === undefined) return false;
  const [a, b] = await Promise.all(
    [token, given].map((text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
  );
  return a !== undefined && b !== undefined && crypto.subtle.timingSafeEqual(a, b);
}
