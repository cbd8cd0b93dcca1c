/** @file Names of stored things: `model_4k2…`, 120 random bits, told apart by their prefix. */

/** Crockford's base32 in lower case: no i, l, o, u. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH = 24;

export function newId(prefix: string): string {
  const random = crypto.getRandomValues(new Uint8Array(LENGTH));
  return `${prefix}_${Array.from(random, (byte) => ALPHABET[byte & 31]).join("")}`;
}

/** Lower-case hex of a hash. */
export function hex(bytes: ArrayBuffer | Uint8Array): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function sha256Hex(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return hex(await crypto.subtle.digest("SHA-256", bytes));
}
