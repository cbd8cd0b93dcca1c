/** @file Webhooks at a receiver of their own: signed, in sequence, again after failures, never to a private address. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { EVENT_TYPES } from "../../src/jobs/webhooks/event.ts";
import { linearFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

interface Received {
  headers: Record<string, string>;
  body: string;
  json: Json;
}

let service: TestService;
let receiver: Server;
let url: string;
let received: Received[] = [];
/** What the receiver does with the next ones, before it takes them. */
let answers: ((request: IncomingMessage, response: ServerResponse) => void)[] = [];

beforeAll(async () => {
  service = await newService({
    allowLoopback: true,
    vars: {
      // As in wrangler.toml, an hour in a second, but for the last four.
      WEBHOOK_PAUSES_S: "0,0.02,0.08,0.5,1,0,0,0,0",
      // A receiver that shares its machine with others answers within it.
      WEBHOOK_TIMEOUT_S: "3",
      WEBHOOK_PROGRESS_MS: "0",
    },
  });
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    received.push({
      headers: request.headers as Record<string, string>,
      body,
      json: JSON.parse(body),
    });
    const answer = answers.shift();
    if (answer) answer(request, response);
    else response.writeHead(204).end();
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
afterAll(async () => {
  receiver.close();
  await service.end();
});
afterEach(async () => {
  for (const { id } of (await get("/v1/webhook-endpoints")).data) {
    await service.call(`/v1/webhook-endpoints/${id}`, { method: "DELETE" });
  }
  received = [];
  answers = [];
});

async function get(path: string): Promise<Json> {
  return await (await service.call(path)).json();
}

async function post(path: string, body: unknown = {}): Promise<Json> {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: "wait=60" },
    body: JSON.stringify(body),
  });
  return response.status === 204 ? {} : await response.json();
}

/** Each another one. */
let stored = 0;

async function store(): Promise<string> {
  const body = await linearFile(64, 64, ++stored);
  return ((await (await service.call("/v1/models", { method: "POST", body })).json()) as Json).id;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 4800; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(
    `it did not come to pass; received ${received.map(({ json }) => json.type).join()}`,
  );
}

const status = (code: number) => (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(code).end();

it("a job's events arrive signed, once each, with sequence numbers", async () => {
  const events = EVENT_TYPES.filter((type) => type !== "job.progress");
  const endpoint = await post("/v1/webhook-endpoints", { url, events });
  expect((await get(`/v1/webhook-endpoints/${endpoint.id}`)).secret).toBeUndefined();
  const model = await store();
  const job = await post(`/v1/models/${model}/quantize`, { method: "weight_only" });
  await until(() => received.length >= 5);
  const types = new Set(received.map(({ json }) => json.type));
  expect(types).toEqual(new Set(["job.queued", "job.running", "job.succeeded", "model.created"]));
  expect(received.length).toBe(5);
  const verifier = new Webhook(endpoint.secret);
  for (const { headers, body } of received) verifier.verify(body, headers);
  expect(() =>
    new Webhook("whsec_AAAA").verify(received[0]?.body ?? "", received[0]?.headers ?? {}),
  ).toThrow();
  const sequences = received.map(({ json }) => json.sequence).sort((a, b) => a - b);
  expect(sequences).toEqual([1, 2, 3, 4, 5]);
  const last = received.find(({ json }) => json.type === "job.succeeded")?.json;
  expect(last.data).toMatchObject({
    id: job.id,
    state: "succeeded",
    result: { model_id: expect.any(String) },
  });
  await service.call(`/v1/models/${model}`, { method: "DELETE" });
  await until(() => received.some(({ json }) => json.type === "model.deleted"));
});

it("every event that an endpoint may ask for is sent when it happens, and verifies", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  const model = await store();
  await post(`/v1/models/${model}/quantize`, { method: "weight_only" });
  await post(`/v1/models/${model}/quantize`, { method: "weight_only", min_sqnr_db: 150 });
  // It waits for a runner, and is not waited for.
  const ordered = await service.call(`/v1/models/${model}/optimize`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ steps: [{ op: "benchmark", executor: "runner" }] }),
  });
  await post(`/v1/jobs/${((await ordered.json()) as Json).id}/cancel`);
  await service.call(`/v1/models/${model}`, { method: "DELETE" });
  const runner = await connectRunner();
  // As a line that breaks; 1000 would be a farewell.
  runner.close(4000);
  const types = () => new Set<string>(received.map(({ json }) => json.type));
  await until(() => EVENT_TYPES.every((type) => types().has(type)));
  expect([...types()].sort()).toEqual([...EVENT_TYPES].sort());
  const verifier = new Webhook(endpoint.secret);
  for (const { headers, body } of received) {
    verifier.verify(body, headers);
    expect(Buffer.byteLength(body)).toBeLessThan(20_000);
  }
  const of = (type: string) => received.find(({ json }) => json.type === type)?.json.data;
  expect(of("job.progress")).toMatchObject({ state: "running", progress: {} });
  expect(of("job.failed")).toMatchObject({ error: { code: "not_close_enough" } });
  expect(of("model.deleted")).toMatchObject({ id: model, object: "model" });
  expect(of("runner.lost")).toMatchObject({ object: "runner", info: { name: "soon gone" } });
});

/** A runner that has said hello and been welcomed. */
async function connectRunner(): Promise<WebSocket> {
  const { secret } = await post("/v1/runner-tokens", { name: "test" });
  const address = `${service.url.replace("http", "ws")}/v1/runners/connect`;
  const socket = new WebSocket(address, ["hone.runner", `token.${secret}`]);
  await once(socket, "open");
  const info = {
    name: "soon gone",
    platform: "test",
    runtime: "none",
    backends: ["wasm"],
    kinds: ["verify"],
    adapter: null,
    max_model_bytes: 1,
  };
  const welcomed = once(socket, "message");
  socket.send(
    JSON.stringify({ type: "hello", version: 1, session: randomUUID(), info, working: null }),
  );
  const [{ data }] = (await welcomed) as [MessageEvent];
  expect(JSON.parse(data)).toMatchObject({ type: "welcome" });
  return socket;
}

it("only the events that were asked for are sent", async () => {
  await post("/v1/webhook-endpoints", { url, events: ["job.failed"] });
  const model = await store();
  await post(`/v1/models/${model}/quantize`, { method: "weight_only", min_sqnr_db: 150 });
  await until(() => received.length > 0);
  expect(received.map(({ json }) => json.type)).toEqual(["job.failed"]);
  expect(received[0]?.json.data.error.code).toBe("not_close_enough");
});

it("what is not taken is sent again with the same id, until it is", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  answers = [status(500), status(503), (_, response) => void response.destroy()];
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(() => received.length === 4);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  await until(async () => (await deliveries(endpoint.id))[0].state === "delivered");
  expect((await deliveries(endpoint.id))[0]).toMatchObject({
    attempts: 4,
    status: 204,
    error: null,
  });
});

it("after ten tries a delivery has failed, and can be sent again by hand", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  answers = Array.from({ length: 10 }, () => status(500));
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(async () => (await deliveries(endpoint.id))[0]?.state === "failed");
  const [failed] = await deliveries(endpoint.id);
  expect(failed).toMatchObject({ attempts: 10, status: 500, error: "it answered 500" });
  await post(`/v1/webhook-endpoints/${endpoint.id}/deliveries/${failed.id}/redeliver`);
  await until(async () => (await deliveries(endpoint.id))[0].state === "delivered");
  expect(received.length).toBe(11);
});

it("410 disables the endpoint until it is enabled", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  answers = [status(410)];
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(
    async () => (await get(`/v1/webhook-endpoints/${endpoint.id}`)).disabled_reason !== null,
  );
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(received.length).toBe(1);
  expect(await post(`/v1/webhook-endpoints/${endpoint.id}/enable`)).toMatchObject({
    disabled_reason: null,
  });
  await until(() => received.length === 2);
});

it("a receiver that answers 500 for long loses nothing: all events arrive once it is well", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url, events: ["model.created"] });
  const tries = new Map<string, number>();
  const ill = (request: IncomingMessage, response: ServerResponse) => {
    const id = String(request.headers["webhook-id"]);
    tries.set(id, (tries.get(id) ?? 0) + 1);
    response.writeHead(tries.get(id) === 5 ? 204 : 500).end();
  };
  answers = Array.from({ length: 60 }, () => ill);
  for (let each = 0; each < 5; each++) await store();
  await until(async () => {
    const all = await deliveries(endpoint.id);
    return all.length === 5 && all.every(({ state }) => state === "delivered");
  });
  const arrived = new Set(received.map(({ json }) => json.sequence));
  expect([...arrived].toSorted((a, b) => Number(a) - Number(b))).toEqual([1, 2, 3, 4, 5]);
  const ids = new Set(received.map(({ headers }) => headers["webhook-id"]));
  expect(ids.size).toBe(5);
  expect([...tries.values()]).toEqual([5, 5, 5, 5, 5]);
});

it("a receiver that hangs is given up after a while, and asked again", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  let asked = NaN;
  answers = [() => (asked = Date.now())];
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(async () => (await deliveries(endpoint.id))[0]?.state === "delivered");
  expect(received.length).toBe(2);
  expect(Date.now() - asked).toBeGreaterThan(700);
  expect((await deliveries(endpoint.id))[0].attempts).toBe(2);
});

it("a redirect to a private address reaches nothing there", async () => {
  const reached: string[] = [];
  const inside = createServer((request, response) => {
    reached.push(request.url ?? "");
    response.end();
  }).listen(0, "127.0.0.1");
  await once(inside, "listening");
  const { port } = inside.address() as AddressInfo;
  const endpoint = await post("/v1/webhook-endpoints", { url });
  const redirects = [`http://127.0.0.1:${port}/`, "http://169.254.169.254/", "http://[::1]/"];
  answers = [307, 308, 302].map(
    (code, index) => (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(code, { Location: redirects[index] ?? "" }).end(),
  );
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(async () => (await deliveries(endpoint.id))[0]?.state === "delivered");
  expect((await deliveries(endpoint.id))[0].attempts).toBe(4);
  expect(reached).toEqual([]);
  inside.close();
});

it("redirects are not followed, and an endless answer is not read", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  answers = [
    (_, response) => void response.writeHead(302, { Location: `${url}/elsewhere` }).end(),
    (_, response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write(Buffer.alloc(1 << 20)), 1);
      response.on("close", () => clearInterval(more));
    },
  ];
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(async () => (await deliveries(endpoint.id))[0]?.state === "delivered");
  expect(received.length).toBe(2);
});

it("after a rotation both secrets verify", async () => {
  const endpoint = await post("/v1/webhook-endpoints", { url });
  const rotated = await post(`/v1/webhook-endpoints/${endpoint.id}/rotate`);
  expect(rotated.secret).not.toBe(endpoint.secret);
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`);
  await until(() => received.length === 1);
  for (const secret of [endpoint.secret, rotated.secret]) {
    new Webhook(secret).verify(received[0]?.body ?? "", received[0]?.headers ?? {});
  }
});

it("private, link-local and metadata addresses are refused when the endpoint is made", async () => {
  for (const host of [
    "10.0.0.8",
    "169.254.169.254",
    "192.168.1.1",
    "[fd00::1]",
    "metadata.internal",
  ]) {
    const answer = await post("/v1/webhook-endpoints", { url: `http://${host}/hook` });
    expect([host, answer.code]).toEqual([host, "url_not_allowed"]);
  }
});

async function deliveries(id: string): Promise<Json[]> {
  return (await get(`/v1/webhook-endpoints/${id}/deliveries`)).data;
}
