/** @file One attempt to tell an endpoint, signed by Standard Webhooks. */
import { Webhook } from "standardwebhooks";
import { toBase64 } from "../../store/base64.ts";
import { attempt, type Attempt } from "./attempt.ts";

/**
 * @param id the same for every attempt, so that receivers can tell repetitions
 * @param secrets each gives a signature; a receiver accepts any of them
 */
export async function sendWebhook(
  env: Env,
  url: string,
  id: string,
  payload: string,
  secrets: readonly string[],
): Promise<Attempt> {
  const time = new Date();
  const signatures = secrets.map((secret) => new Webhook(secret).sign(id, time, payload));
  const headers = {
    "Content-Type": "application/json",
    "User-Agent": "hone-webhooks",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
    "webhook-signature": signatures.join(" "),
  };
  const init = { method: "POST", headers, body: payload };
  return await attempt(env, url, init, Number(env.WEBHOOK_TIMEOUT_S));
}

/** `whsec_` and 24 random bytes in base64, as Standard Webhooks has them. */
export function newWebhookSecret(): string {
  const random = crypto.getRandomValues(new Uint8Array(24));
  return `whsec_${toBase64(random)}`;
}
