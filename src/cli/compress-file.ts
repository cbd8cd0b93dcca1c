/** @file One model file through `/v1/quantize` or `/v1/prune`: upload, wait, download, with progress. */
import { openAsBlob } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { Connection } from "./connection.ts";
import { ProgressBar } from "./progress.ts";

/** What the server refused, as its problem says it. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly status: number;
  readonly problem: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {
    const said = problem["detail"] ?? problem["title"];
    super(typeof said === "string" ? said : `the service answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export interface Headline {
  operation: string;
  method: string;
  bytes_before: number;
  bytes_after: number;
  ratio: number;
  verified: boolean;
  min_cosine: number | null;
  min_sqnr_db: number | null;
  changed: number;
  kept: number;
}

/**
 * Sends `input` and writes the answer to `output`, which appears only once it is complete.
 * @param options query parameters by their API names
 * @throws ServiceError when the service refuses
 */
export async function compressFile(
  connection: Connection,
  operation: "quantize" | "prune",
  input: string,
  output: string,
  options: Record<string, string>,
): Promise<Headline> {
  const bar = new ProgressBar(operation);
  bar.update(undefined, "sending");
  const response = await call(
    connection,
    `/v1/${operation}?${new URLSearchParams(options).toString()}`,
    {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: await openAsBlob(input),
    },
  );
  const total = Number(response.headers.get("Content-Length") ?? 0);
  const partial = `${output}.partial`;
  const file = await open(partial, "w");
  try {
    let received = 0;
    for await (const chunk of response.body ?? []) {
      await file.write(chunk as Uint8Array);
      received += (chunk as Uint8Array).length;
      bar.update(total > 0 ? received / total : undefined, "receiving");
    }
    await file.close();
    await rename(partial, output);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  } finally {
    bar.clear();
  }
  return JSON.parse(response.headers.get("Hone-Report") ?? "{}") as Headline;
}

/** @throws ServiceError for every status of 400 and above */
export async function call(
  connection: Connection,
  path: string,
  init: RequestInit,
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${connection.apiKey}`);
  const response = await fetch(connection.url + path, { ...init, headers });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  throw new ServiceError(response.status, problem);
}
