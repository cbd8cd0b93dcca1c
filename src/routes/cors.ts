/** @file Cross-origin requests, from the origins that the operator lists (CORS_ORIGINS); from none by default. */
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./context.ts";

/** What pages may read beside the headers that are always readable. */
const EXPOSED = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Length",
  "Content-Range",
  "ETag",
  "Hone-Report",
  "Idempotent-Replayed",
  "Link",
  "Location",
  "Preference-Applied",
  "RateLimit",
  "RateLimit-Policy",
  "Request-Id",
  "Retry-After",
  "WWW-Authenticate",
];
const DAY_S = 24 * 60 * 60;

/** Answers preflights, which carry no key, and adds the headers to every answer, refusals too. */
export const allowOrigins = createMiddleware<AppEnv>(async (c, next) => {
  const allowed = c.env.CORS_ORIGINS.split(",")
    .map((origin) => origin.trim())
    .filter(Boolean);
  const origin = c.req.header("Origin");
  if (origin === undefined || !(allowed.includes("*") || allowed.includes(origin))) {
    return await next();
  }
  const isPreflight =
    c.req.method === "OPTIONS" && c.req.header("Access-Control-Request-Method") !== undefined;
  if (c.req.method === "OPTIONS" && !isPreflight) return await next();
  return await cors({
    origin: allowed.includes("*") ? "*" : origin,
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: EXPOSED,
    maxAge: DAY_S,
  })(c, next);
});
