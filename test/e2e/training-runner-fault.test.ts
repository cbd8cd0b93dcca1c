/** @file Trainings on real runners: the native build and a WebGPU device, together with the edge, and killed in their work. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { newService, type TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");
/** Debian's chromium brings a Vulkan driver that needs no GPU; libvulkan1 loads it. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const STEPS = 10;
const LONG = 150;

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;
let model: string;
let dataset: string;
const runners: ChildProcess[] = [];
let onEdge: Json;

beforeAll(async () => {
  service = await newService();
  const stored = async (path: string, body: Uint8Array<ArrayBuffer>) =>
    ((await (await service.call(path, { method: "POST", body })).json()) as Json).id;
  model = await stored("/v1/models", await digitModelFile());
  dataset = await stored("/v1/datasets", digitsNpz({ perDigit: 40 }));
  onEdge = await over(await train({ executor: "edge" }));
  expect(onEdge).toMatchObject({ error: null, state: "succeeded" });
});
afterAll(async () => {
  for (const runner of runners) runner.kill("SIGKILL");
  await service.end();
});

async function post(path: string, body: unknown): Promise<Json> {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return await response.json();
}

async function get(path: string): Promise<Json> {
  return await (await service.call(path)).json();
}

async function train(options: Record<string, unknown>): Promise<string> {
  const job = await post("/v1/training-jobs", {
    model,
    dataset,
    steps: STEPS,
    batch_size: 16,
    optimizer: { type: "adam", lr: 0.003 },
    validation: { fraction: 0.25 },
    ...options,
  });
  expect(job).toMatchObject({ operation: "train" });
  return job.id;
}

async function over(id: string): Promise<Json> {
  let job: Json;
  await until(async () => {
    job = await get(`/v1/jobs/${id}`);
    return ["succeeded", "failed", "canceled"].includes(job.state);
  });
  return job;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 900; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it did not come to pass within 90 s");
}

/** Starts a runner and waits until the pool lists it as idle. */
async function start(name: string, backend: string): Promise<ChildProcess> {
  const token = await post("/v1/runner-tokens", { name });
  // Less to compile for a software adapter.
  const dawn = ["--dawn", "enable-dawn-features=disable_workgroup_init"];
  const args = ["runner", "--url", service.url, "--name", name, "--backend", backend, ...dawn];
  const child = spawn(process.execPath, [HONE, ...args], {
    env: { ...process.env, HONE_RUNNER_TOKEN: token.secret, VK_ICD_FILENAMES: DRIVER },
    stdio: ["ignore", "ignore", "inherit"],
  });
  runners.push(child);
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    return (await runner(name))?.state === "idle";
  });
  return child;
}

async function runner(name: string): Promise<Json> {
  return (await get("/v1/runners")).data.find(({ info }: Json) => info.name === name);
}

/** As many steps as on the edge, each told once, and nearly the same loss in each. */
async function expectLikeEdge(job: Json, tolerance: number): Promise<void> {
  expect(job).toMatchObject({ error: null, state: "succeeded", result: { step: STEPS } });
  const curve = async (id: string) => (await get(`/v1/jobs/${id}/curve?points=1000`)).data;
  const [there, here] = [await curve(job.id), await curve(onEdge.id)];
  expect(there.map(({ step }: Json) => step)).toEqual(here.map(({ step }: Json) => step));
  there.forEach(({ loss }: Json, i: number) =>
    expect(Math.abs(loss - here[i].loss)).toBeLessThan(tolerance),
  );
  const { metrics } = onEdge.result;
  expect(Math.abs(job.result.metrics.validation_loss - metrics.validation_loss)).toBeLessThan(
    tolerance,
  );
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
}

it("a native runner trains to the edge's loss", async () => {
  const child = await start("host", "cpu");
  const job = await over(await train({ executor: "runner" }));
  await expectLikeEdge(job, 1e-4);
  expect(job.attempts).toBe(1);
  const host = await runner("host");
  expect(job.progress.ranks[0].executor).toBe(host.id);
  await until(async () => (await runner("host")).tasks_done === 1);
  await stop(child);
});

it("a runner that is killed in mid-training loses no step", async () => {
  const child = await start("doomed", "cpu");
  const id = await train({ executor: "runner", steps: LONG });
  await until(async () => (await get(`/v1/jobs/${id}`)).progress.step > 10);
  child.kill("SIGKILL");
  const heir = await start("heir", "cpu");
  const job = await over(id);
  expect(job).toMatchObject({
    error: null,
    state: "succeeded",
    attempts: 1,
    result: { step: LONG },
  });
  const { data } = await get(`/v1/jobs/${id}/curve?points=1000`);
  expect(data.map(({ step }: Json) => step)).toEqual(Array.from({ length: LONG }, (_, i) => i + 1));
  expect(job.progress.ranks[0].executor).toBe((await runner("heir")).id);
  await stop(heir);
});

it("a runner and the edge train together", async () => {
  const child = await start("half", "cpu");
  const job = await over(await train({ executor: "auto", world_size: 2, batch_size: 8 }));
  await expectLikeEdge(job, 0.2);
  const executors = job.progress.ranks.map(({ executor }: Json) => executor);
  expect(executors).toContain("edge");
  expect(executors).toContain((await runner("half")).id);
  await stop(child);
});

it.skipIf(!existsSync(DRIVER))("a WebGPU device trains to the edge's loss", async () => {
  const child = await start("gpu", "webgpu");
  const job = await over(await train({ executor: "runner" }));
  await expectLikeEdge(job, 1e-3);
  expect(job.progress.ranks[0].executor).toBe((await runner("gpu")).id);
  await stop(child);
});
