/** @file A `fetch` that repeats what may be repeated, with growing pauses. */
import { ConnectionError } from "./errors.ts";

export interface RetryOptions {
  fetch: typeof fetch;
  /** Tries after the first. */
  maxRetries: number;
  /** For each try until its headers are there; 0 for none. */
  timeoutMs: number;
}

const RETRIED = new Set([408, 429, 502, 503, 504]);
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/**
 * Repeats calls that failed on the way (no answer, 408, 429, 502–504, or an idempotency key whose first call is
 * still running) and that mean the same when they are repeated: GET, PUT and DELETE, and POST with an
 * Idempotency-Key. A body that is a stream is sent once. Pauses follow Retry-After, else double with full jitter.
 * @throws ConnectionError when there is no answer
 */
export async function fetchWithRetries(
  request: Request,
  { fetch, maxRetries, timeoutMs }: RetryOptions,
  replayable: boolean,
): Promise<Response> {
  const tries = replayable && isSafe(request) ? maxRetries + 1 : 1;
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= tries;
    const sent = last ? request : request.clone();
    try {
      const response = await withTimeout(fetch, sent, timeoutMs);
      if (last || !(RETRIED.has(response.status) || inProgress(response))) return response;
      await response.body?.cancel();
      await pause(pauseMs(attempt, response.headers.get("Retry-After")), request.signal);
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      if (last) {
        const why = error instanceof Error ? (error.cause ?? error) : error;
        throw new ConnectionError(
          `${request.method} ${request.url}: no answer (${why instanceof Error ? why.message : String(why)})`,
          { cause: error },
        );
      }
      await pause(pauseMs(attempt, null), request.signal);
    }
  }
}

function isSafe({ method, headers }: Request): boolean {
  return method !== "POST" || headers.has("Idempotency-Key");
}

/** 409 with Retry-After: the first call of the key has no answer yet. */
function inProgress({ status, headers }: Response): boolean {
  return status === 409 && headers.has("Retry-After");
}

async function withTimeout(
  send: typeof fetch,
  request: Request,
  timeoutMs: number,
): Promise<Response> {
  if (timeoutMs === 0) return await send(request);
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError"));
  }, timeoutMs);
  try {
    const signal = AbortSignal.any([request.signal, timeout.signal]);
    return await send(new Request(request, { signal }));
  } finally {
    clearTimeout(timer);
  }
}

function pauseMs(attempt: number, retryAfter: string | null): number {
  const asked = Number(retryAfter) * 1000;
  if (retryAfter !== null && asked >= 0 && asked <= 60_000) return asked;
  return Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
}

/** @throws what the signal was aborted with */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
