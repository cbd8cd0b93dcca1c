/** @file Requests per key and minute, counted by the platform's binding where the Worker runs. */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import type { AppEnv } from "./context.ts";

/** As in wrangler.toml. */
const LIMIT = 1200;
const PERIOD_S = 60;
/** draft-ietf-httpapi-ratelimit-headers */
const POLICY = `"default";q=${LIMIT};w=${PERIOD_S}`;

export const limitRate = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.get("keyId");
  if (key === undefined) return await next();
  const { success } = await c.env.RATE_LIMIT.limit({ key });
  if (!success) {
    throw new ApiError(
      "rate_limited",
      `a key may send ${LIMIT} requests in ${PERIOD_S} s`,
      {},
      {
        "Retry-After": String(PERIOD_S),
        "RateLimit-Policy": POLICY,
        RateLimit: `"default";r=0;t=${PERIOD_S}`,
      },
    );
  }
  await next();
  c.header("RateLimit-Policy", POLICY);
});
