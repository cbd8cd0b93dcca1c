/** @file Secrets that the service has to know again: AES-256-GCM, by a key that follows from SIGNING_SECRET. */
import { ApiError } from "../problem/api-error.ts";
import { fromBase64, toBase64 } from "./base64.ts";

const IV_BYTES = 12;

/** @param purpose sealed for one purpose, it opens for no other */
export async function seal(env: Env, purpose: string, secret: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await keyOf(env, purpose);
  const data = new TextEncoder().encode(secret);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, data));
  const bytes = new Uint8Array(IV_BYTES + sealed.length);
  bytes.set(iv);
  bytes.set(sealed, IV_BYTES);
  return toBase64(bytes);
}

/** @throws ApiError `not_configured` where SIGNING_SECRET is another one by now */
export async function unseal(env: Env, purpose: string, sealed: string): Promise<string> {
  const bytes = fromBase64(sealed);
  const iv = bytes.subarray(0, IV_BYTES);
  const key = await keyOf(env, purpose);
  try {
    const data = bytes.subarray(IV_BYTES);
    return new TextDecoder().decode(
      await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, data),
    );
  } catch {
    throw new ApiError("not_configured", "SIGNING_SECRET is not the one of when this was stored");
  }
}

async function keyOf(env: Env, purpose: string): Promise<CryptoKey> {
  if (!env.SIGNING_SECRET) throw new ApiError("not_configured", "SIGNING_SECRET is not set");
  const text = new TextEncoder();
  const secret = await crypto.subtle.importKey(
    "raw",
    text.encode(env.SIGNING_SECRET),
    "HKDF",
    false,
    ["deriveKey"],
  );
  const derivation = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: text.encode(purpose),
  };
  return await crypto.subtle.deriveKey(
    derivation,
    secret,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}
