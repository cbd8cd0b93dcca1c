/** @file Verifying what Hone sends to an endpoint (Standard Webhooks), with nothing but Web Crypto. */

/** The request was not signed with the secret, or too long ago. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

const TOLERANCE_S = 300;
const HEADERS = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;

/**
 * The event of a request that was signed with `secret` within five minutes.
 * @param headers of the request: `Headers`, or Node's object
 * @param body as it came: parsed and written again it would have another signature
 * @throws WebhookVerificationError
 */
export async function verifyWebhook(
  secret: string,
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
  body: string | Uint8Array,
  now: number = Date.now(),
): Promise<unknown> {
  const [id, sent, signatures] = HEADERS.map((name) => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    if (typeof value !== "string") throw new WebhookVerificationError(`no header ${name}`);
    return value;
  }) as [string, string, string];
  if (!/^\d+$/.test(sent) || Math.abs(now / 1000 - Number(sent)) > TOLERANCE_S) {
    throw new WebhookVerificationError("signed too long ago, or the clocks differ");
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${sent}.`);
  const signed = new Uint8Array(head.length + bytes.length);
  signed.set(head);
  signed.set(bytes, head.length);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = fromBase64(secret.replace(/^whsec_/, ""));
  if (!raw) throw new WebhookVerificationError("the secret is no whsec_…");
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  for (const each of signatures.split(" ")) {
    const signature = each.startsWith("v1,") ? fromBase64(each.slice(3)) : undefined;
    // In constant time.
    if (signature && (await crypto.subtle.verify("HMAC", key, signature, signed))) {
      return JSON.parse(new TextDecoder().decode(bytes));
    }
  }
  throw new WebhookVerificationError("no signature fits the secret");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
