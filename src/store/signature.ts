/**
 * @file Text that says what its holder may do, signed by HMAC-SHA-256 (RFC 2104), so that nothing is stored for it.
 * Signatures are compared by Web Crypto, in constant time.
 */
import { ApiError } from "../problem/api-error.ts";
import { fromBase64Url, toBase64Url } from "./base64.ts";

const ALGORITHM = { name: "HMAC", hash: "SHA-256" } as const;
/** A grant and its signature, in base64url. */
const FORM = /^([\w-]{1,2000})\.([\w-]{43})$/;

/** `grant` as text that can stand in an address. */
export async function signGrant(secret: string, grant: object): Promise<string> {
  const payload = toBase64Url(new TextEncoder().encode(JSON.stringify(grant)));
  const signature = await crypto.subtle.sign(ALGORITHM, await keyOf(secret), bytesOf(payload));
  return `${payload}.${toBase64Url(new Uint8Array(signature))}`;
}

/** What was signed; `undefined` when it was not signed here or has expired. */
export async function verifyGrant<Grant extends { expiresAt: number }>(
  secret: string,
  signed: string,
): Promise<Grant | undefined> {
  const [, payload = "", signature = ""] = FORM.exec(signed) ?? [];
  const key = await keyOf(secret);
  const mine = await crypto.subtle.verify(
    ALGORITHM,
    key,
    fromBase64Url(signature),
    bytesOf(payload),
  );
  if (!mine) return undefined;
  const grant = JSON.parse(new TextDecoder().decode(fromBase64Url(payload))) as Grant;
  return grant.expiresAt > Date.now() ? grant : undefined;
}

async function keyOf(secret: string): Promise<CryptoKey> {
  if (!secret) {
    throw new ApiError("not_configured", "SIGNING_SECRET is not set: runners cannot be served");
  }
  return await crypto.subtle.importKey("raw", bytesOf(secret), ALGORITHM, false, [
    "sign",
    "verify",
  ]);
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
