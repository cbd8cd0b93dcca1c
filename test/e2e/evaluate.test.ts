/** @file Evaluations: the same figures from the Worker, a runner and the training itself; refusals, events, the command. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { hostRunner } from "./host-runner.ts";
import { newService, type TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");
const ROWS = 600;
const METRICS = ["accuracy", "top_3_accuracy", "cross_entropy"];

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;
let dataset: string;
/** Trained on nine tenths of the rows. */
let trained: Json;

beforeAll(async () => {
  service = await newService();
  dataset = await sent("/v1/datasets", digitsNpz({ perDigit: ROWS / 10 }));
  const model = await sent("/v1/models", await digitModelFile());
  trained = await post("/v1/training-jobs", {
    model,
    dataset,
    epochs: 3,
    batch_size: 20,
    optimizer: { type: "adam", lr: 0.004 },
    validation: { fraction: 0.1 },
    seed: 3,
  });
  expect(trained).toMatchObject({ state: "succeeded" });
});
afterAll(async () => await service.end());

async function sent(path: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  return ((await (await service.call(path, { method: "POST", body })).json()) as Json).id;
}

async function post(path: string, body: unknown, prefer = "wait=60"): Promise<Json> {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: prefer },
    body: JSON.stringify(body),
  });
  return await response.json();
}

const evaluate = async (model: string, options: object = {}, prefer?: string): Promise<Json> =>
  await post(`/v1/models/${model}/evaluate`, { dataset, ...options }, prefer);

it("the rows that a training held back give the figures that the training gave", async () => {
  const { model_id, metrics } = trained.result;
  const split = { fraction: 0.1, seed: 3 };
  const options = { metrics: ["accuracy", "cross_entropy"], split, executor: "edge" };
  const job = await evaluate(model_id, options);
  expect(job).toMatchObject({ operation: "evaluate", state: "succeeded", executor: "edge" });
  expect(job.result).toMatchObject({ backend: "wasm", rows: ROWS / 10 });
  expect(job.result.metrics.accuracy).toBeCloseTo(metrics.validation_accuracy, 6);
  expect(job.result.metrics.cross_entropy).toBeCloseTo(metrics.validation_loss, 4);
  expect(metrics.validation_accuracy).toBeGreaterThan(0.5);
});

it("a runner and the Worker give the same figures, of a float and of a quantized model", async () => {
  const { model_id } = trained.result;
  const quantized = await post(`/v1/models/${model_id}/quantize`, { method: "dynamic" });
  const models: string[] = [model_id, quantized.result.model_id];
  const here = [];
  for (const model of models) {
    here.push(await evaluate(model, { metrics: METRICS, executor: "edge", batch_size: 64 }));
  }
  const runner = await hostRunner(service, "host");
  for (const [index, model] of models.entries()) {
    const there = await evaluate(model, { metrics: METRICS });
    expect(there).toMatchObject({ state: "succeeded", executor: runner });
    expect(there.result).toMatchObject({ backend: "cpu", rows: ROWS });
    const [a, b] = [here[index].result.metrics, there.result.metrics];
    expect(Math.abs(a.accuracy - b.accuracy)).toBeLessThanOrEqual(2 / ROWS);
    expect(Math.abs(a.top_3_accuracy - b.top_3_accuracy)).toBeLessThanOrEqual(2 / ROWS);
    expect(Math.abs(a.cross_entropy - b.cross_entropy)).toBeLessThan(1e-3);
    expect(b.top_3_accuracy).toBeGreaterThan(b.accuracy);
  }
});

it("what does not fit is refused before anything runs, and says what", async () => {
  const { model_id } = trained.result;
  expect(await evaluate(model_id, { dataset: "dataset_none" })).toMatchObject({ status: 404 });
  expect(await evaluate(model_id, { label: "lable" })).toMatchObject({
    status: 422,
    code: "dataset_mismatch",
  });
  expect(await evaluate(model_id, { metrics: ["mse"] })).toMatchObject({
    status: 422,
    detail: expect.stringContaining("a row of the output is [10], a row of the label []"),
  });
  const unknown = await evaluate(model_id, { metrics: ["accurracy"] });
  expect(unknown).toMatchObject({ status: 400, code: "invalid_request" });
  expect(unknown.errors[0].path).toBe("metrics[0]");
  expect(await evaluate(model_id, { output: "none" })).toMatchObject({ code: "unknown_name" });
});

it("the events tell how far it is; a canceled one ends at once", async () => {
  const { model_id } = trained.result;
  const job = await evaluate(model_id, { executor: "edge", batch_size: 1 }, "respond-async");
  const events = await (await service.call(`/v1/jobs/${job.id}/events`)).text();
  expect(events).toContain('"doing":"evaluating"');
  expect(events.trimEnd()).toMatch(/event: state\ndata: .*"state":"succeeded"/);
  const waiting = await evaluate(model_id, { executor: "runner" }, "respond-async");
  expect((await post(`/v1/jobs/${waiting.id}/cancel`, {})).state).toBe("canceled");
});

it("`hone evaluate` prints the metrics", async () => {
  const env = { ...process.env, HONE_URL: service.url, HONE_API_KEY: service.apiKey };
  const { model_id } = trained.result;
  const flags = ["--metrics", "accuracy", "mse", "--data", dataset, "--limit", "100"];
  const run = promisify(execFile);
  const refused = await run(process.execPath, [HONE, "evaluate", model_id, ...flags], {
    env,
  }).catch((error: Json) => error);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("dataset_mismatch") });
  const ended = await run(
    process.execPath,
    [HONE, "evaluate", model_id, ...flags.filter((flag) => flag !== "mse")],
    { env },
  );
  expect(ended.stdout).toMatch(/^rows +backend +accuracy\n─.*\n +100 +wasm +0\.\d{4}\n$/);
});
