/** @file One try to hand a result over: into the exchange bucket, or by HTTP PUT. The bytes stream from R2. */
import { ApiError } from "../../problem/api-error.ts";
import { toBase64 } from "../../store/base64.ts";
import { attempt, type Attempt } from "../webhooks/attempt.ts";
import type { HookTarget, ResultPlace } from "./hook.ts";
import { encodedPath, placed, type ResultFile } from "./result-files.ts";

/** On objects that the service itself put there: no hook listens to them. */
export const OWN_MARK = "hone-job";

/** A PUT has as long as any webhook, and a second more for each of these. */
const BYTES_PER_S = 1 << 20;

export interface HandedOver extends Attempt {
  places: ResultPlace[];
}

export interface Parcel {
  delivery: string;
  workspace: string;
  job: string;
  model: string;
  files: readonly ResultFile[];
}

/** @throws ApiError for what another try cannot mend; what the storage throws */
export async function handOver(
  env: Env,
  target: Exclude<HookTarget, { to: "catalogue" | "signed_url" }>,
  parcel: Parcel,
): Promise<HandedOver> {
  const places: ResultPlace[] = [];
  let status: number | null = null;
  for (const each of parcel.files) {
    const { file, bytes, sha256 } = each;
    const { place, ...outcome } =
      target.to === "r2"
        ? await copy(env, target.prefix, each, parcel)
        : await put(env, target.url, each, parcel);
    ({ status } = outcome);
    if (outcome.error !== null) return { ...outcome, places };
    places.push({ file, bytes, sha256, place });
  }
  return { status, error: null, places };
}

async function copy(
  env: Env,
  prefix: string,
  { file, key, bytes, sha256 }: ResultFile,
  { workspace, job, model }: Parcel,
): Promise<Attempt & { place: string }> {
  const place = `${workspace}/${placed(prefix, { file: "", job })}${file}`;
  await env.EXCHANGE.put(place, await open(env, key, bytes), {
    sha256,
    httpMetadata: { contentType: "application/octet-stream" },
    customMetadata: { [OWN_MARK]: job, "hone-model": model },
  });
  return { place, status: null, error: null };
}

async function put(
  env: Env,
  template: string,
  { file, key, bytes, sha256 }: ResultFile,
  { delivery, job, model, files }: Parcel,
): Promise<Attempt & { place: string }> {
  const limit = Number(env.MAX_BODY_BYTES);
  if (bytes > limit) {
    throw new ApiError("body_too_large", `${file} has ${bytes} bytes, at most ${limit} are put`);
  }
  if (files.length > 1 && !template.includes("{file}")) {
    const names = files.map((each) => each.file).join(", ");
    throw new ApiError("url_not_allowed", `the files ${names} need a URL with {file}`);
  }
  const place = placed(template, { file, job }, encodedPath);
  const digest = Uint8Array.from(sha256.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const headers = {
    "Content-Type": "application/octet-stream",
    "User-Agent": "hone-webhooks",
    // RFC 9530
    "Repr-Digest": `sha-256=:${toBase64(digest)}:`,
    "Idempotency-Key": `${delivery}/${encodedPath(file)}`,
    "Hone-Job": job,
    "Hone-Model": model,
  };
  const body = await open(env, key, bytes);
  const timeoutS = Number(env.WEBHOOK_TIMEOUT_S) + Math.ceil(bytes / BYTES_PER_S);
  return { place, ...(await attempt(env, place, { method: "PUT", headers, body }, timeoutS)) };
}

/** A stream whose length is known, so that it is sent along. */
async function open(env: Env, key: string, bytes: number): Promise<ReadableStream> {
  const object = await env.BLOBS.get(key);
  if (!object) throw new ApiError("not_found", "the result was deleted");
  const { readable, writable } = new FixedLengthStream(bytes);
  // A receiver that does not take it all is told of by the request.
  object.body.pipeTo(writable).catch(() => undefined);
  return readable;
}
