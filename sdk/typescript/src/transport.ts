/** @file The typed client that everything here calls: address, key, retries, idempotency keys, errors. */
import createClient, { type Client } from "openapi-fetch";
import { errorOf } from "./errors.ts";
import type { paths } from "./generated/schema.d.ts";
import { fetchWithRetries } from "./retry.ts";

export interface HoneOptions {
  /** Default: the environment's `HONE_API_KEY`. */
  apiKey?: string;
  /** Default: the environment's `HONE_URL`, else `http://127.0.0.1:8787`. */
  baseUrl?: string;
  /** Tries after the first, for calls that may be repeated (default 3). */
  maxRetries?: number;
  /** For each try until it is answered (default 5 minutes; 0 for none). Downloads may take longer. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}

/** The API's operations as openapi.yaml has them, by path. Answers of 400 and above throw. */
export type Transport = Client<paths>;

const DEFAULT_URL = "http://127.0.0.1:8787";
const DEFAULT_RETRIES = 3;
const DEFAULT_TIMEOUT_MS = 300_000;

/** @throws TypeError without a key */
export function createTransport(options: HoneOptions): Transport {
  const apiKey = options.apiKey ?? environment("HONE_API_KEY");
  if (!apiKey) throw new TypeError("hone: no API key: give `apiKey`, or set HONE_API_KEY");
  const baseUrl = (options.baseUrl ?? environment("HONE_URL") ?? DEFAULT_URL).replace(/\/+$/, "");
  const retry = {
    fetch: options.fetch ?? ((request: RequestInfo | URL) => fetch(request)),
    maxRetries: options.maxRetries ?? DEFAULT_RETRIES,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
  const send = async (request: Request): Promise<Response> => {
    request.headers.set("Authorization", `Bearer ${apiKey}`);
    const oneWay = request.headers.has(STREAMED);
    request.headers.delete(STREAMED);
    if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    const response = await fetchWithRetries(request, retry, !oneWay);
    if (response.status >= 400) throw await errorOf(response);
    return response;
  };
  return createClient<paths>({ baseUrl, fetch: send, querySerializer: queryText });
}

/** A query as the API reads it: lists by commas, unless one is in a name, objects as JSON. */
function queryText(query: Record<string, unknown>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.map(([name, value]) => `${name}=${encodeURIComponent(valueText(value))}`).join("&");
}

function valueText(value: unknown): string {
  if (Array.isArray(value) && !value.some((item) => String(item).includes(","))) {
    return value.join(",");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Marks a request whose body is a stream; it does not leave this module. */
const STREAMED = "hone-streamed";

/** Bytes to send. A stream is sent once and never again; a Blob (a file) is read as it is sent. */
export type Bytes = Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array>;

/** What a call with `bytes` as its body takes besides; the description calls such bodies strings. */
export function binary(bytes: Bytes) {
  const stream = bytes instanceof ReadableStream;
  return {
    body: bytes as unknown as string,
    bodySerializer: (body: unknown) => body as BodyInit,
    headers: { "Content-Type": "application/octet-stream", ...(stream ? { [STREAMED]: "1" } : {}) },
    ...(stream ? { duplex: "half" as const } : {}),
  };
}

/** The header of calls that create something: repeated by a retry, they create it once. */
export function once(key: string = crypto.randomUUID()) {
  return { "idempotency-key": key };
}

function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}
