/** @file A request's body: bytes in chunks, JSON as a whole, both counted against their limit. */
import { ApiError } from "../problem/api-error.ts";
import type { AppContext } from "./context.ts";

const CHUNK_BYTES = 1 << 20;
const MAX_JSON_BYTES = 4 << 20;
/** The stream gives 4 KiB at a time unless one asks for more. */
const LEAST_BYTES = 256 << 10;

/** Content-Length, where the client said it. */
export function declaredBytes(c: AppContext): number | undefined {
  const header = c.req.header("Content-Length");
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}

/** The body's bytes, counted; see `limited`. */
export async function* bodyChunks(c: AppContext): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  for await (const chunk of limited(
    c.req.raw.body,
    Number(c.env.MAX_BODY_BYTES),
    declaredBytes(c),
  )) {
    bytes += chunk.length;
    c.set("bytesIn", bytes);
    yield chunk;
  }
}

/**
 * A stream's bytes; each chunk is the caller's until it asks for the next.
 * @throws ApiError `body_too_large` as soon as that is known
 */
export async function* limited(
  stream: ReadableStream | null,
  maxBytes: number,
  declared = 0,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const tooLarge = (bytes: number) =>
    new ApiError(
      "body_too_large",
      `there are ${bytes} bytes or more, one request may have ${maxBytes}`,
    );
  if (declared > maxBytes) throw tooLarge(declared);
  let bytes = 0;
  for await (const chunk of chunksOf(stream)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(bytes);
    yield chunk;
  }
}

/** Reads a byte stream in chunks of about 1 MiB, the buffer reused. */
export async function* chunksOf(
  stream: ReadableStream | null,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!stream) return;
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new Uint8Array(CHUNK_BYTES);
  try {
    for (;;) {
      const { value, done } = await reader.readAtLeast(LEAST_BYTES, buffer).catch(broken);
      if (value && value.length > 0) yield value;
      if (done || !value) return;
      buffer = new Uint8Array(value.buffer);
    }
  } finally {
    // Leaving early (a refusal) tells the client's side to stop sending.
    await reader.cancel().catch(() => undefined);
  }
}

function broken(): never {
  throw new ApiError("incomplete_body", "the connection broke before all bytes were there");
}

/** Whether the body says that it is JSON. */
export function isJson(c: AppContext): boolean {
  return /^application\/([\w.-]+\+)?json *(;|$)/i.test(c.req.header("Content-Type") ?? "");
}

/** The body's text, read once for all who ask. */
export async function jsonText(c: AppContext): Promise<string> {
  // Hono keeps the promise there, whatever its types say.
  const cache = c.req.bodyCache as unknown as { text?: Promise<string> };
  return await (cache.text ??= readText(c));
}

async function readText(c: AppContext): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of limited(c.req.raw.body, MAX_JSON_BYTES, declaredBytes(c))) {
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** A JSON body as text and value; nothing is an object without members. */
export async function jsonBody(c: AppContext): Promise<{ text: string; value: unknown }> {
  const text = await jsonText(c);
  if (text.trim() === "") return { text, value: {} };
  try {
    return { text, value: JSON.parse(text) };
  } catch (error) {
    throw new ApiError("invalid_json", (error as SyntaxError).message);
  }
}
