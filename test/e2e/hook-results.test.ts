/** @file Where a hook's result goes: a signed URL, the exchange bucket, an HTTP PUT; and the bucket as a source. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { type HookCaller, hookCaller, signed } from "./hook-caller.ts";
import { newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

interface Put {
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

let service: TestService;
let hooks: HookCaller;
let origin: Server;
let base: string;
let bucket: R2Bucket;
const puts: Put[] = [];
/** What the receiver does, by the first segment of the path; else it takes what is put. */
const answers: Record<string, (response: ServerResponse) => void> = {
  redirect: (response) => response.writeHead(307, { Location: `${base}/elsewhere` }).end(),
  metadata: (response) =>
    response.writeHead(302, { Location: "http://169.254.169.254/latest" }).end(),
  gone: (response) => response.writeHead(410).end(),
  hang: () => undefined,
  endless: (response) => {
    response.writeHead(200);
    const more = setInterval(() => response.write(Buffer.alloc(1 << 20)), 1);
    response.on("close", () => clearInterval(more));
  },
  late: (response) => {
    const tries = puts.filter(({ path }) => path.startsWith("/late")).length;
    response.writeHead(tries < 3 ? 500 : 201).end();
  },
};

beforeAll(async () => {
  const model = await linearFile(64, 64);
  origin = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? "";
    if (request.method === "GET") return response.end(model);
    puts.push({ path, headers: request.headers, body: Buffer.concat(chunks) });
    const answer = answers[path.split("/")[1] ?? ""];
    return answer ? answer(response) : response.writeHead(201).end();
  });
  origin.listen(0, "127.0.0.1");
  await once(origin, "listening");
  base = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  service = await newService({
    allowLoopback: true,
    vars: { WEBHOOK_PAUSES_S: "0,0", WEBHOOK_TIMEOUT_S: "3" },
  });
  hooks = hookCaller(service);
  bucket = (await service.bindings.getR2Bucket("EXCHANGE", "hone")) as unknown as R2Bucket;
});
afterAll(async () => {
  origin.closeAllConnections();
  origin.close();
  await service.end();
});

async function newHook(deliver: unknown, extra = {}): Promise<Json> {
  const steps = [{ op: "prune", amount: 0.5 }];
  const source = { source: "standard", model: { url: "{url}" }, steps };
  return await hooks.post("/v1/hooks", { ...source, deliver, ...extra });
}

/** The delivery of one model, once its result is where it goes, or never will be. */
async function delivered(hook: Json, url = `${base}/model.onnx`): Promise<Json> {
  const body = JSON.stringify({ url });
  expect((await hooks.send(hook.id, signed(hook.secret, body), body)).status).toBe(202);
  return await resultOf(hook);
}

async function resultOf(hook: Json): Promise<Json> {
  const over = async () => (await hooks.settled(hook.id))[0]?.result?.state;
  await expect
    .poll(over, { interval: 100 })
    .toSatisfy((state) => state === "delivered" || state === "failed");
  return (await hooks.deliveries(hook.id))[0];
}

async function contentOf(delivery: Json): Promise<{ model: string; name: string; bytes: Buffer }> {
  const job = await hooks.get(`/v1/jobs/${delivery.job_id}`);
  const model = job.result.model_id;
  const content = await service.call(`/v1/models/${model}/content`);
  const { name } = await hooks.get(`/v1/models/${model}`);
  return { model, name, bytes: Buffer.from(await content.arrayBuffer()) };
}

it("signed URL: the job and the delivery have an address that needs no key, while the model is there", async () => {
  const delivery = await delivered(await newHook({ to: "signed_url", expires_in_s: 600 }));
  const { model, name, bytes } = await contentOf(delivery);
  const { links } = (await hooks.get(`/v1/jobs/${delivery.job_id}`)).result;
  expect(links.expires_at - Date.now() / 1000).toBeGreaterThan(500);
  expect(delivery.result).toMatchObject({ to: "signed_url", state: "delivered" });
  expect(delivery.result.files).toEqual(links.files);
  const [file] = links.files;
  expect(file).toMatchObject({ file: name, bytes: bytes.length });
  const fetched = await fetch(file.place);
  expect(fetched.status).toBe(200);
  expect(Buffer.from(await fetched.arrayBuffer()).equals(bytes)).toBe(true);
  expect((await fetch(`${file.place}x`)).status).toBe(404);
  await service.call(`/v1/models/${model}`, { method: "DELETE" });
  expect((await fetch(file.place)).status).toBe(404);
});

it("HTTP PUT: the bytes stream to the address with length, digest and what they are of", async () => {
  const hook = await newHook({ to: "http_put", url: `${base}/in/{job}/{file}` });
  const delivery = await delivered(hook);
  const { model, name, bytes } = await contentOf(delivery);
  const { job_id: job } = delivery;
  const put = puts.find(({ path }) => path === `/in/${job}/${name}`);
  expect(put?.body.equals(bytes)).toBe(true);
  const digest = createHash("sha256").update(bytes).digest("base64");
  expect(put?.headers).toMatchObject({
    "content-length": String(bytes.length),
    "repr-digest": `sha-256=:${digest}:`,
    "hone-job": job,
    "hone-model": model,
  });
  expect(delivery.result).toMatchObject({
    state: "delivered",
    attempts: [{ status: 201, error: null }],
    files: [{ place: `${base}/in/${job}/${name}`, bytes: bytes.length }],
  });
});

it.each([
  ["late", "delivered", [500, 500, 201], null],
  ["redirect", "failed", [307, 307, 307], /answered 307, and redirects are not followed/],
  ["metadata", "failed", [302, 302, 302], /redirects are not followed/],
  ["gone", "failed", [410], /answered 410/],
  ["hang", "failed", [null, null, null], /no answer within \d s/],
  ["endless", "delivered", [200], null],
])("HTTP PUT to %s: %s after %j", async (place, state, statuses, error) => {
  const delivery = await delivered(await newHook({ to: "http_put", url: `${base}/${place}` }));
  const { attempts, ...result } = delivery.result;
  expect(result.state).toBe(state);
  expect(attempts.map((each: Json) => each.status)).toEqual(statuses);
  if (error) expect(attempts.at(-1).error).toMatch(error);
  else expect(attempts.at(-1).error).toBeNull();
  expect(puts.filter(({ path }) => path === `/${place}`).length).toBe(statuses.length);
  expect(puts.some(({ path }) => path === "/elsewhere")).toBe(false);
});

it("a recipe that fails delivers nothing, and says why", async () => {
  const steps = [{ op: "quantize", method: "weight_only", min_sqnr_db: 150 }];
  const before = puts.length;
  const delivery = await delivered(await newHook({ to: "http_put", url: `${base}/x` }, { steps }));
  expect(delivery.result).toMatchObject({ state: "failed", files: [] });
  expect(delivery.result.attempts[0].error).toMatch(/^its job failed: step 1 \(quantize\)/);
  expect(puts.length).toBe(before);
});

it("addresses that are not public, and what is no address, are refused when the hook is made", async () => {
  for (const host of ["10.0.0.8", "169.254.169.254", "[fd00::1]", "metadata.internal"]) {
    const answer = await newHook({ to: "http_put", url: `http://${host}/{file}` });
    expect([host, answer.status, answer.code]).toEqual([host, 403, "url_not_allowed"]);
  }
  for (const deliver of [
    { to: "http_put", url: "no address" },
    { to: "http_put", url: "ftp://example.com/" },
    { to: "r2", prefix: "/of/another" },
    { to: "signed_url", expires_in_s: 1 },
    { to: "elsewhere" },
  ]) {
    expect([deliver, (await newHook(deliver)).status]).toSatisfy(
      ([, status]) => status === 400 || status === 403,
    );
  }
});

/** https://developers.cloudflare.com/r2/buckets/event-notifications/#message-format */
async function notify(key: string, eTag: string, action = "PutObject"): Promise<unknown> {
  const message = {
    account: "3f4b7e3dcab231cbfdaa90a6a28bd548",
    action,
    bucket: "hone-exchange",
    object: { key, size: 65536, eTag },
    eventTime: new Date().toISOString(),
  };
  await tell(message);
  return message;
}

async function tell(message: unknown): Promise<void> {
  const queue = await service.bindings.getQueueProducer("OBJECTS", "outbound");
  await queue.send(message);
}

it("an object in the bucket starts the recipe, once, and the result goes back under the prefix", async () => {
  const hook = await newHook(
    { to: "r2", prefix: "out/{job}/" },
    { source: "r2", model: {}, filter: { path: "in/**/*.onnx", repository: "hone-*" } },
  );
  expect(hook).toMatchObject({ status: 201, url: "ws_local/", secret: null });
  const { etag = "" } =
    (await bucket.put("ws_local/in/a/model.onnx", await linearFile(48, 32))) ?? {};
  const message = await notify("ws_local/in/a/model.onnx", etag);
  const { job_id, result, ...delivery } = await resultOf(hook);
  expect(delivery).toMatchObject({
    event: "PutObject",
    state: "done",
    model_url: "r2:ws_local/in/a/model.onnx",
  });
  const { name, bytes } = await contentOf({ job_id });
  const key = `ws_local/out/${job_id}/${name}`;
  expect(result).toMatchObject({ state: "delivered", files: [{ place: key }] });
  const copy = await bucket.get(key);
  expect(Buffer.from((await copy?.arrayBuffer()) ?? new ArrayBuffer(0)).equals(bytes)).toBe(true);
  expect(copy?.customMetadata?.["hone-job"]).toBe(job_id);

  // Again, as a queue may; a key of another workspace; what does not fit; a deletion; a result; what was replaced.
  await tell(message);
  await bucket.put("ws_other/in/model.onnx", await linearFile(48, 32));
  await notify("ws_other/in/model.onnx", etag);
  await notify("ws_local/in/notes.txt", etag);
  await notify("ws_local/in/a/model.onnx", etag, "DeleteObject");
  await notify(key, copy?.etag ?? "");
  await notify("ws_local/in/a/model.onnx", "of another content");
  await expect.poll(async () => (await hooks.settled(hook.id)).length).toBe(4);
  const rows = await hooks.deliveries(hook.id);
  expect(rows.map(({ state, reason }) => `${state} ${reason}`).sort()).toEqual([
    "done null",
    "failed not_found: ws_local/in/a/model.onnx was replaced meanwhile",
    "ignored DeleteObject makes no object",
    "ignored the path in/notes.txt does not match in/**/*.onnx",
  ]);
});

it("nobody triggers a hook of the bucket by a call, or reads another workspace's objects by the test button", async () => {
  const hook = await newHook({ to: "catalogue" }, { source: "r2", model: {} });
  expect((await hooks.send(hook.id, {}, "{}")).status).toBe(401);
  const payload = {
    action: "PutObject",
    bucket: "b",
    object: { key: "ws_other/m.onnx", eTag: "e" },
  };
  const tested = await hooks.post(`/v1/hooks/${hook.id}/test`, { payload });
  expect(tested).toMatchObject({
    decision: "ignored",
    reason: "its key does not begin with ws_local/",
  });
});

it("a delivery has its payload as it was sent, cut after 64 KiB", async () => {
  const hook = await newHook({ to: "catalogue" }, { filter: { path: "never/**" } });
  const text = `{"url": "${base}/model.onnx",  "note": "ü${"x".repeat(100_000)}"}`;
  for (const body of [`{"url":  "${base}/model.onnx"}`, text]) {
    const { deliveries, reason } = await hooks.send(hook.id, signed(hook.secret, body), body);
    expect(reason).toBe("the path model.onnx does not match never/**");
    const found = await hooks.get(`/v1/hooks/${hook.id}/deliveries/${deliveries[0]}`);
    expect(found.payload_bytes).toBe(Buffer.byteLength(body));
    expect(body.startsWith(found.payload)).toBe(true);
    expect(found.payload.length).toBe(Math.min(body.length, 65_535));
  }
  expect((await service.call(`/v1/hooks/${hook.id}/deliveries/hkd_none`)).status).toBe(404);
});
