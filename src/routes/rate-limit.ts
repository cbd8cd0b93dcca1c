/**
 * @file Requests per key and minute, counted by the platform's binding. Where there is none (one machine, one isolate)
 * they are counted here.
 */
import { createMiddleware } from "hono/factory";
import { ApiError } from "../problem/api-error.ts";
import type { AppEnv } from "./context.ts";

const PERIOD_S = 60;
let period = 0;
let counts = new Map<string, number>();

export const limitRate = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.get("keyId");
  if (key === undefined) return await next();
  const limit = c.env.REQUESTS_PER_MINUTE;
  // draft-ietf-httpapi-ratelimit-headers
  const policy = `"default";q=${limit};w=${PERIOD_S}`;
  if (!(await isWithinLimit(c.env, key))) {
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

/** Counts one more request of `key`. */
export async function isWithinLimit(env: Env, key: string): Promise<boolean> {
  const limiter = env.RATE_LIMIT as RateLimit | undefined;
  return limiter ? (await limiter.limit({ key })).success : countHere(env, key);
}

/** In each minute of the clock. */
function countHere(env: Env, key: string): boolean {
  const now = Math.floor(Date.now() / (PERIOD_S * 1000));
  if (now !== period) {
    period = now;
    counts = new Map();
  }
  const count = (counts.get(key) ?? 0) + 1;
  if (count > Number(env.REQUESTS_PER_MINUTE)) return false;
  counts.set(key, count);
  return true;
}
