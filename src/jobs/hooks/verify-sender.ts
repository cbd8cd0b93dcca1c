/** @file Whether a delivery comes from who knows the hook's secret. Nothing here takes longer for a better guess. */
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { ApiError } from "../../problem/api-error.ts";
import type { HookSource } from "./hook.ts";

const HMAC = { name: "HMAC", hash: "SHA-256" } as const;
const text = new TextEncoder();

/** @throws ApiError `invalid_signature` */
export async function verifySender(
  source: HookSource,
  secret: string,
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  switch (source) {
    case "standard":
      return verifyStandard(secret, headers, body);
    case "github":
      return await verifyGitHub(secret, headers, body);
    case "huggingface":
      return await verifyHuggingFace(secret, headers);
    case "r2":
      throw refused("the bucket's notifications trigger this hook, and no call does");
  }
}

/** By Standard Webhooks: the signature is of id, time and body, and the time within five minutes of now. */
function verifyStandard(secret: string, headers: Headers, body: Uint8Array): void {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  const given = Object.fromEntries(names.map((name) => [name, headers.get(name) ?? ""]));
  try {
    // The bytes as text: a body that is not UTF-8 has another signature, and is no JSON.
    new Webhook(secret).verify(new TextDecoder().decode(body), given);
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw refused(error.message);
    // The signature is right; that it is no JSON is said where it is read.
    if (error instanceof SyntaxError) return;
    throw error;
  }
}

/** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
async function verifyGitHub(
  secret: string,
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const given = /^sha256=([0-9a-f]{64})$/i.exec(headers.get("X-Hub-Signature-256") ?? "")?.[1];
  if (given === undefined) throw refused("there is no X-Hub-Signature-256: sha256=<64 hex digits>");
  const signature = Uint8Array.from(given.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const key = await crypto.subtle.importKey("raw", text.encode(secret), HMAC, false, ["verify"]);
  if (!(await crypto.subtle.verify(HMAC, key, signature, body))) {
    throw refused("X-Hub-Signature-256 is not of this body by the hook's secret");
  }
}

/** The secret itself is sent (https://huggingface.co/docs/hub/webhooks): compared by hash. */
async function verifyHuggingFace(secret: string, headers: Headers): Promise<void> {
  const given = headers.get("X-Webhook-Secret");
  if (given === null) throw refused("there is no X-Webhook-Secret");
  const [a, b] = await Promise.all(
    [secret, given].map((each) => crypto.subtle.digest("SHA-256", text.encode(each))),
  );
  if (!a || !b || !crypto.subtle.timingSafeEqual(a, b)) {
    throw refused("X-Webhook-Secret is not the hook's secret");
  }
}

function refused(detail: string): ApiError {
  return new ApiError("invalid_signature", detail);
}
