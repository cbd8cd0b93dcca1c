/** @file Idempotency-Key: the same call with the same key gets the first one's answer. */
import { ApiError, problemOf } from "../problem/api-error.ts";
import { apiErrorOf } from "../problem/from-error.ts";
import { type Call, claimKey, dropKey, keepAnswer } from "../store/idempotency.ts";
import type { AppContext } from "./context.ts";

const KEPT_HEADERS = ["Content-Type", "Location", "Preference-Applied"];

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
  if (key === undefined) return await answer();
  const url = new URL(c.req.url);
  const call: Call = {
    workspace: c.get("workspace"),
    key,
    call: `${c.req.method} ${url.pathname}${url.search}`,
    bodySha256,
  };
  const claim = await claimKey(c.env, call);
  if (claim.outcome === "answered") {
    const { status, headers, body } = claim.answer;
    return new Response(body, {
      status,
      headers: { ...headers, "Idempotent-Replayed": "true" },
    }) as R;
  }
  if (claim.outcome === "in_progress") {
    throw new ApiError(
      "idempotency_key_in_progress",
      `the request with the key "${key}" has no answer yet`,
      {},
      { "Retry-After": "2" },
    );
  }
  if (claim.outcome === "reused") {
    throw new ApiError(
      "idempotency_key_reused",
      `the key "${key}" came with another path or body before`,
    );
  }
  let response: Response;
  try {
    response = await answer();
  } catch (error) {
    const known = apiErrorOf(error);
    if (!known || known.status >= 500) await dropKey(c.env.DB, call);
    else await keepAnswer(c.env, call, refusal(known, c.get("requestId")));
    throw error;
  }
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = response.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  const body = await response.clone().text();
  await keepAnswer(c.env, call, { status: response.status, headers, body });
  return response as R;
}

function refusal(error: ApiError, requestId: string) {
  return {
    status: error.status,
    headers: { "Content-Type": "application/problem+json" },
    body: JSON.stringify(problemOf(error, requestId)),
  };
}
