/** @file Idempotency-Key: the same call with the same key gets the first one's answer. */
import { createMiddleware } from "hono/factory";
import { ApiError, problemOf } from "../problem/api-error.ts";
import { apiErrorOf } from "../problem/from-error.ts";
import { sha256Hex } from "../store/id.ts";
import { type Call, claimKey, dropKey, keepAnswer } from "../store/idempotency.ts";
import { isJson, jsonText } from "./body.ts";
import type { AppContext, AppEnv } from "./context.ts";

/** POSTs that take no Idempotency-Key, and why each may be repeated without one. */
export const REPEATABLE: Readonly<Record<string, string>> = {
  quantizeModel: "Stores nothing but the report.",
  pruneModel: "Stores nothing but the report.",
  simplifyModel: "Stores nothing but the report.",
  triggerHook: "What is delivered again is answered alike and done once, by its id or its bytes.",
};

/** Their bodies stream: those that store something call `idempotent` when they have read them. */
const TAKES_BYTES = /^\/v1\/(models|datasets|quantize|prune|simplify)$/;
const MAX_KEY = 255;
/** Nothing was begun: what is sent next may have the same key. */
const NOT_BEGUN = [400, 413, 415, 429];

const KEPT_HEADERS = ["Content-Type", "Location", "Preference-Applied"];

/** For every POST whose body is JSON or nothing, so that no route has to think of it. */
export const repeatable = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.req.header("Idempotency-Key");
  const isKnown = c.get("workspace") !== undefined;
  if (key === undefined || !isKnown || c.req.method !== "POST") return await next();
  if (key === "" || key.length > MAX_KEY) {
    throw new ApiError("invalid_request", `Idempotency-Key: 1 to ${MAX_KEY} characters`);
  }
  if (TAKES_BYTES.test(c.req.path) && !isJson(c)) return await next();
  const call = callOf(c, key, await sha256Hex(await jsonText(c)));
  const kept = await claim(c, call);
  if (kept) return kept;
  c.set("isClaimed", true);
  await next();
  await keep(c, call, c.res);
});

/**
 * Runs `answer` at most once per key, call and body. Refusals are kept like successes; failures of the
 * service (5xx) are not, so that a repeated call tries again.
 * @param bodySha256 tells whether a repeated call is the same
 */
export async function idempotent<R extends Response>(
  c: AppContext,
  bodySha256: string,
  answer: () => Promise<R>,
): Promise<R> {
  const key = c.req.header("Idempotency-Key");
  if (key === undefined || c.get("isClaimed")) return await answer();
  const call = callOf(c, key, bodySha256);
  const kept = await claim(c, call);
  if (kept) return kept as R;
  let response: R;
  try {
    response = await answer();
  } catch (error) {
    const known = apiErrorOf(error);
    if (!known) await dropKey(c.env.DB, call);
    else await keep(c, call, refusal(known, c.get("requestId")));
    throw error;
  }
  await keep(c, call, response);
  return response;
}

function callOf(c: AppContext, key: string, bodySha256: string): Call {
  const { pathname, search } = new URL(c.req.url);
  const call = `${c.req.method} ${pathname}${search}`;
  return { workspace: c.get("workspace"), key, call, bodySha256 };
}

/** The answer of the first call, if it has one; nothing for the first call itself. */
async function claim(c: AppContext, call: Call): Promise<Response | undefined> {
  const claimed = await claimKey(c.env, call);
  switch (claimed.outcome) {
    case "claimed":
      return undefined;
    case "answered": {
      const { status, headers, body } = claimed.answer;
      const replayed = { ...headers, "Idempotent-Replayed": "true" };
      return new Response(body || null, { status, headers: replayed });
    }
    case "in_progress":
      throw new ApiError(
        "idempotency_key_in_progress",
        `the request with the key "${call.key}" has no answer yet`,
        {},
        { "Retry-After": "2" },
      );
    case "reused":
      throw new ApiError(
        "idempotency_key_reused",
        `the key "${call.key}" came with another path or body before`,
      );
  }
}

/** Never fails: the work is done, whether or not its answer can be kept. */
async function keep(c: AppContext, call: Call, response: Response): Promise<void> {
  const { status } = response;
  try {
    if (status >= 500 || (c.get("isClaimed") && NOT_BEGUN.includes(status))) {
      return await dropKey(c.env.DB, call);
    }
    const headers: Record<string, string> = {};
    for (const name of KEPT_HEADERS) {
      const value = response.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    await keepAnswer(c.env, call, { status, headers, body: await response.clone().text() });
  } catch (error) {
    console.error(JSON.stringify({ request_id: c.get("requestId"), answer: "not kept" }), error);
  }
}

function refusal(error: ApiError, requestId: string): Response {
  return new Response(JSON.stringify(problemOf(error, requestId)), {
    status: error.status,
    headers: { "Content-Type": "application/problem+json" },
  });
}
