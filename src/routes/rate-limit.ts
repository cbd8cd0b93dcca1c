/** @file Requests per key and minute, counted by the platform's binding where the Worker runs. */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import type { AppEnv } from "./context.ts";

const PERIOD_S = 60;

export const limitRate = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.get("keyId");
  if (key === undefined) return await next();
  const limit = c.env.REQUESTS_PER_MINUTE;
  // draft-ietf-httpapi-ratelimit-headers
  const policy = `"default";q=${limit};w=${PERIOD_S}`;
  const { success } = await c.env.RATE_LIMIT.limit({ key });
  if (!success) {
    throw new ApiError(
      "rate_limited",
      `a key may send ${limit} requests in ${PERIOD_S} s`,
      {},
      {
        "Retry-After": String(PERIOD_S),
        "RateLimit-Policy": policy,
        RateLimit: `"default";r=0;t=${PERIOD_S}`,
      },
    );
  }
  await next();
  c.header("RateLimit-Policy", policy);
});
