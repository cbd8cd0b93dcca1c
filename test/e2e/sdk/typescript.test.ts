/** @file The TypeScript SDK against a running service: real models, real breaks of the line. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  AuthenticationError,
  ConnectionError,
  Hone,
  InvalidRequestError,
  JobError,
  NotFoundError,
} from "../../../sdk/typescript/src/index.ts";
import { linearFile, untidyFile } from "../../worker/service/models.ts";
import { newService, type TestService } from "../service.ts";

const MIB = 1 << 20;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let service: TestService;
let hone: Hone;
let calls: string[];

/** Notes the calls, and lets `fault` answer or break them instead. */
function client(fault: (request: Request) => Response | undefined = () => undefined): Hone {
  calls = [];
  return new Hone({
    apiKey: service.apiKey,
    baseUrl: service.url,
    fetch: async (input) => {
      const request = input as Request;
      calls.push(`${request.method} ${new URL(request.url).pathname}`);
      return fault(request) ?? (await fetch(request));
    },
  });
}

/** Breaks the first `count` calls that `matches`. */
function breaking(count: number, matches: RegExp, answer?: () => Response) {
  let left = count;
  return (request: Request): Response | undefined => {
    if (left === 0 || !matches.test(`${request.method} ${request.url}`)) return undefined;
    left--;
    if (answer) return answer();
    throw new TypeError("fetch failed", { cause: new Error("the line was cut") });
  };
}

beforeAll(async () => {
  service = await newService();
  hone = client();
});
afterAll(async () => await service.end());

it("one call compresses: the model, its summary and its report", async () => {
  const model = await linearFile(256, 256);
  const smaller = await hone.quantize(model, { method: "weight_only", bits: 4 });
  const bytes = await smaller.bytes();
  expect(bytes.length).toBe(smaller.byteLength);
  expect(smaller.summary).toMatchObject({ bytes_after: bytes.length, verified: true });
  const report = await smaller.report();
  expect(report.changed.length).toBe(1);
  const sparse = await hone.prune(new Blob([model]).stream(), { amount: 0.5 });
  expect((await sparse.bytes()).length).toBe(model.length);
});

it("objects in a query reach the service as objects", async () => {
  const simple = await hone.simplify(await untidyFile(), {
    input_shapes: { x: [2, 64] },
    skip_passes: ["fold_shapes", "inline_if"],
  });
  expect(simple.summary).toMatchObject({ operation: "simplify", nodes_before: 5, nodes_after: 2 });
  const { options } = await simple.report();
  expect(options).toEqual({
    input_shapes: { x: [2, 64] },
    skip_passes: ["fold_shapes", "inline_if"],
  });
});

it("lists in a query reach the service as lists", async () => {
  const refused = hone.quantize(await linearFile(64, 64), {
    method: "weight_only",
    nodes_to_exclude: ["fc", "nobody"],
  });
  await expect(refused).rejects.toThrow(/no node "nobody"/);
});

it("a stored model is quantized by a job that is followed to its end", async () => {
  const bytes = await linearFile(512, 512);
  const model = await hone.models.create(bytes, { name: "linear" });
  expect(model).toMatchObject({ sha256: sha256(bytes), name: "linear" });
  const job = await hone.models.quantize(model.id, { method: "weight_only" });
  const seen: string[] = [];
  const done = await hone.jobs.wait(job.id, { onEvent: ({ type }) => seen.push(type) });
  expect(done.state).toBe("succeeded");
  expect(seen.filter((type) => type === "state").length).toBe(3);
  if (done.operation !== "quantize") throw new Error(`it is a ${done.operation} job`);
  const result = await hone.models.get(done.result?.model_id ?? "");
  const content = await hone.models.content(result.id);
  expect(sha256(new Uint8Array(await content.arrayBuffer()))).toBe(result.sha256);
  const rest = await hone.models.content(result.id, { from: result.bytes - 10 });
  expect((await rest.arrayBuffer()).byteLength).toBe(10);
});

it("lists run over all pages", async () => {
  for (let i = 0; i < 5; i++) await hone.models.create(await linearFile(8 + i, 8));
  const ids = [];
  for await (const { id } of hone.models.list({ limit: 2 })) ids.push(id);
  expect(ids.length).toBeGreaterThanOrEqual(5);
  expect(new Set(ids).size).toBe(ids.length);
});

it("an upload in parts goes on where it was cut", async () => {
  const file = new Blob([await linearFile(3000, 1100)]);
  expect(file.size).toBeGreaterThan(2 * 5 * MIB);
  const cut = client(breaking(9, /PUT .*parts\/2/));
  let uploadId = "";
  const first = cut.models.upload(file, {
    partBytes: 5 * MIB,
    concurrency: 1,
    onStart: (id) => (uploadId = id),
  });
  await expect(first).rejects.toThrow(ConnectionError);
  const again = client();
  const progress: number[] = [];
  const model = await again.models.upload(file, {
    partBytes: 5 * MIB,
    resume: uploadId,
    onProgress: (sent, total) => progress.push(sent / total),
  });
  expect(model.bytes).toBe(file.size);
  expect(calls.filter((call) => call.startsWith("PUT"))).not.toContain(
    `PUT /v1/uploads/${uploadId}/parts/1`,
  );
  expect(progress.at(0)).toBeGreaterThan(0.3);
  expect(progress.at(-1)).toBe(1);
});

it("calls that may be repeated are repeated, and create one thing", async () => {
  const bytes = await linearFile(40, 40);
  const busy = () => new Response("{}", { status: 503, headers: { "Retry-After": "0" } });
  const shaky = client(breaking(2, /POST .*\/v1\/models$/, busy));
  const model = await shaky.models.create(bytes);
  expect(calls.filter((call) => call === "POST /v1/models").length).toBe(3);
  let cut = 1;
  const lost = new Hone({
    apiKey: service.apiKey,
    baseUrl: service.url,
    fetch: async (input) => {
      const answer = await fetch(input as Request);
      if (cut-- > 0) throw new TypeError("the answer was lost");
      return answer;
    },
  });
  const job = await lost.models.prune(model.id, { amount: 0.5 });
  const ids = [];
  for await (const each of hone.jobs.list()) if (each.model_id === model.id) ids.push(each.id);
  expect(ids).toEqual([job.id]);
});

it("a call that may not be repeated, and one that stays broken, say that there was no answer", async () => {
  const stream = new Blob([await linearFile(40, 40)]).stream();
  await expect(client(breaking(1, /POST/)).models.create(stream)).rejects.toThrow(ConnectionError);
  const dead = new Hone({ apiKey: "hone_x", baseUrl: "http://127.0.0.1:59999", maxRetries: 1 });
  await expect(dead.models.get("model_x")).rejects.toThrow(/no answer .*ECONNREFUSED/);
});

it("events are seen once each, across a line that breaks after every event", async () => {
  const model = await hone.models.create(await linearFile(1500, 1000));
  const job = await hone.models.quantize(model.id, { method: "weight_only" });
  await hone.jobs.wait(job.id);
  const broken = client((request) => {
    if (!request.url.endsWith("/events")) return undefined;
    const cutting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk);
        if (new TextDecoder().decode(chunk).includes("data:")) controller.terminate();
      },
    });
    void fetch(request).then((answer) => answer.body?.pipeTo(cutting.writable).catch(() => {}));
    return new Response(cutting.readable, { headers: { "Content-Type": "text/event-stream" } });
  });
  const whole: (string | undefined)[] = [];
  for await (const { id } of hone.jobs.events(job.id)) whole.push(id);
  const pieces: (string | undefined)[] = [];
  for await (const { id } of broken.jobs.events(job.id)) pieces.push(id);
  expect(pieces).toEqual(whole);
  expect(new Set(pieces).size).toBe(pieces.length);
  expect(calls.length).toBeGreaterThan(1);
});

it("refusals are errors of their kind, with the problem that the service answered", async () => {
  const refused = await hone.quantize(new TextEncoder().encode("<html>")).catch((e: unknown) => e);
  expect(refused).toBeInstanceOf(InvalidRequestError);
  expect(refused).toMatchObject({ status: 415, code: "not_onnx", requestId: expect.any(String) });
  await expect(hone.models.get("model_none")).rejects.toThrow(NotFoundError);
  const stranger = new Hone({ apiKey: "hone_wrong", baseUrl: service.url });
  await expect(stranger.models.get("model_none")).rejects.toThrow(AuthenticationError);
  const far = await hone
    .quantize(await linearFile(64, 64), { method: "weight_only", bits: 2, min_sqnr_db: 90 })
    .catch((e: unknown) => e);
  expect((far as InvalidRequestError).code).toBe("not_close_enough");
  expect((far as InvalidRequestError).report?.verification.ran).toBe(true);
});

it("a job that fails is an error with the reason; waiting can be stopped", async () => {
  const model = await hone.models.create(await linearFile(64, 64));
  const job = await hone.models.quantize(model.id, { method: "weight_only", min_sqnr_db: 150 });
  const error = await hone.jobs.wait(job.id).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(JobError);
  expect(error).toMatchObject({ jobId: job.id, state: "failed" });
  const stop = AbortSignal.abort(new Error("enough"));
  await expect(hone.jobs.wait(job.id, { signal: stop })).rejects.toThrow("enough");
});

it("without a key the client is not made", () => {
  const before = process.env["HONE_API_KEY"];
  delete process.env["HONE_API_KEY"];
  try {
    expect(() => new Hone()).toThrow(/HONE_API_KEY/);
  } finally {
    if (before !== undefined) process.env["HONE_API_KEY"] = before;
  }
});
