/** @file One request to an address that a caller named: public, no redirects, in bounded time, its answer not read. */
import { checkPublicUrl, type NetworkEnvironment } from "../../import/public-url.ts";
import { ApiError } from "../../problem/api-error.ts";

export interface Attempt {
  /** `null` when there was no answer. */
  status: number | null;
  error: string | null;
}

/** Never throws. */
export async function attempt(
  env: NetworkEnvironment,
  url: string,
  init: RequestInit,
  timeoutS: number,
  fetcher: typeof fetch = fetch,
): Promise<Attempt> {
  try {
    const target = new URL(url);
    // At every attempt: a name may have got another address since.
    await checkPublicUrl(target, env, fetcher);
    const response = await fetcher(target.href, {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutS * 1000),
    });
    const { status } = response;
    // What a receiver answers is not read: it may be a gigabyte.
    await response.body?.cancel();
    if (status >= 200 && status < 300) return { status, error: null };
    const redirect = status >= 300 && status < 400 ? ", and redirects are not followed" : "";
    return { status, error: `it answered ${status}${redirect}` };
  } catch (error) {
    if (error instanceof ApiError) return { status: null, error: error.message };
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const why = timedOut ? `no answer within ${timeoutS} s` : "no answer, or no public address";
    return { status: null, error: why };
  }
}

/** Seconds until the next one, after so many; `undefined` when there is none. */
export function pauseAfter(
  { WEBHOOK_PAUSES_S }: Pick<Env, "WEBHOOK_PAUSES_S">,
  attempts: number,
): number | undefined {
  return WEBHOOK_PAUSES_S.split(",").map(Number)[attempts - 1];
}
