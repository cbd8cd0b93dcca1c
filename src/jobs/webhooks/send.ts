/** @file One attempt to tell an endpoint: signed by Standard Webhooks, to a public address, redirects not followed. */
import { Webhook } from "standardwebhooks";
import { checkPublicUrl, type NetworkEnvironment } from "../../import/public-url.ts";
import { ApiError } from "../../problem/api-error.ts";
import { toBase64 } from "../../store/base64.ts";

export interface Attempt {
  /** `null` when there was no answer. */
  status: number | null;
  error: string | null;
}

const TIMEOUT_MS = 15_000;

/**
 * @param id the same for every attempt, so that receivers can tell repetitions
 * @param secrets each gives a signature; a receiver accepts any of them
 */
export async function sendWebhook(
  env: NetworkEnvironment,
  url: string,
  id: string,
  payload: string,
  secrets: readonly string[],
  fetcher: typeof fetch = fetch,
): Promise<Attempt> {
  const target = new URL(url);
  const time = new Date();
  try {
    // At every attempt: a name may have got another address since.
    await checkPublicUrl(target, env, fetcher);
    const response = await fetcher(target.href, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "hone-webhooks",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
        "webhook-signature": secrets
          .map((secret) => new Webhook(secret).sign(id, time, payload))
          .join(" "),
      },
      body: payload,
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
    const why = timedOut
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : "no answer, or no public address";
    return { status: null, error: why };
  }
}

/** `whsec_` and 24 random bytes in base64, as Standard Webhooks has them. */
export function newWebhookSecret(): string {
  const random = crypto.getRandomValues(new Uint8Array(24));
  return `whsec_${toBase64(random)}`;
}
