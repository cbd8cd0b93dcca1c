/** @file The service in this isolate: a workspace with its key, calls that read the whole answer. */
import {
  applyD1Migrations,
  createExecutionContext,
  type D1Migration,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { api } from "../../../src/routes/api.ts";
import { newId } from "../../../src/store/id.ts";
import { ensureKey, newSecret } from "../../../src/store/keys.ts";

export const env = bindings as Env & { MIGRATIONS: D1Migration[] };

export interface Answer {
  status: number;
  headers: Headers;
  bytes: Uint8Array;
  text: string;
  /** The body as JSON, loosely typed: tests say what they expect of it. */
  // oxlint-disable-next-line typescript/no-explicit-any
  json: any;
}

export interface CallInit {
  method?: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string | FormData | ReadableStream;
  json?: unknown;
  /** Bindings that differ from the real ones. */
  env?: Partial<Env>;
}

export interface Workspace {
  id: string;
  key: string;
  call: (path: string, init?: CallInit) => Promise<Answer>;
}

let migrated: Promise<void> | undefined;

export async function newWorkspace(): Promise<Workspace> {
  await (migrated ??= applyD1Migrations(env.DB, env.MIGRATIONS));
  const id = newId("ws");
  const key = newSecret();
  await ensureKey(env.DB, { id, name: "test" }, key);
  return {
    id,
    key,
    call: (path, init = {}) =>
      call(path, { ...init, headers: { Authorization: `Bearer ${key}`, ...init.headers } }),
  };
}

/** A request without a key, unless `headers` has one. */
export async function call(path: string, init: CallInit = {}): Promise<Answer> {
  const response = await open(path, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(bytes);
  await waitOnExecutionContext(response.context);
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    text,
    json: isJson && text ? JSON.parse(text) : undefined,
  };
}

/** The answer with its body still to be read. */
export async function open(
  path: string,
  init: CallInit,
): Promise<Response & { context: ExecutionContext }> {
  const context = createExecutionContext();
  const headers = new Headers(init.headers);
  if (init.json !== undefined) headers.set("Content-Type", "application/json");
  const body = init.json === undefined ? init.body : JSON.stringify(init.json);
  const request = new Request(`http://hone.test${path}`, {
    method: init.method ?? (body === undefined ? "GET" : "POST"),
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const response = await api.fetch(request, { ...env, ...init.env }, context);
  return Object.assign(response, { context });
}

/** Objects of a workspace in R2, to see that nothing is left behind. */
export async function storedObjects(workspace: string): Promise<string[]> {
  const { objects } = await env.BLOBS.list({ prefix: `blobs/${workspace}/` });
  return objects.map(({ key }) => key);
}

/** The binding, except that one method fails from its `after`th call on. */
export function failing<T extends object>(
  binding: T,
  method: keyof T & string,
  message: string,
  after = 1,
): T {
  let calls = 0;
  return new Proxy(binding, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property !== method) return value.bind(target);
      return (...parameters: unknown[]) => {
        calls++;
        if (calls >= after) throw new Error(message);
        return value.apply(target, parameters);
      };
    },
  });
}
