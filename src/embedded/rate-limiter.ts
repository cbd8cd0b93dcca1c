/**
 * @file The limiter of requests where the platform has none: a Worker of one isolate that counts in its memory. Miniflare's
 * own one writes a row to disk for each request, and every request waits for it.
 */
import type { V4WorkerOptions } from "miniflare";

/** Its name, for the service binding. */
export const RATE_LIMITER = "rate-limiter";

const SOURCE = `import { WorkerEntrypoint } from "cloudflare:workers";
const PERIOD_MS = 60_000;
let period = 0;
let counts = new Map();
export default class extends WorkerEntrypoint {
  limit({ key }) {
    const now = Math.floor(Date.now() / PERIOD_MS);
    if (now !== period) {
      period = now;
      counts = new Map();
    }
    const count = counts.get(key) ?? 0;
    const success = count < this.env.LIMIT;
    if (success) counts.set(key, count + 1);
    return { success };
  }
}`;

/** @param limit requests of a key in each minute of the clock */
export function rateLimiter(limit: number, compatibilityDate: string): V4WorkerOptions {
  return {
    name: RATE_LIMITER,
    modules: [{ type: "ESModule", path: "rate-limiter.js", contents: SOURCE }],
    compatibilityDate,
    bindings: { LIMIT: limit },
  };
}
