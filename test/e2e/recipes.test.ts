/** @file Recipes: steps on a model as one job, planned before, repeated for nothing, canceled, and named where they fail. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { readModel } from "../../src/onnx/read-model.ts";
import { MemorySource } from "../../src/onnx/source.ts";
import { linearFile, untidyFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;

beforeAll(async () => {
  service = await newService();
});
afterAll(async () => {
  await service.end();
});

async function get(path: string): Promise<Json> {
  return await (await service.call(path)).json();
}

async function post(path: string, body: unknown = {}, prefer = "wait=60"): Promise<Json> {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: prefer },
    body: JSON.stringify(body),
  });
  return await response.json();
}

/** Each another one. */
let stored = 0;

async function storeLinear(): Promise<Json> {
  return await store(await linearFile(64, 64, ++stored));
}

async function store(body: Uint8Array<ArrayBuffer>): Promise<Json> {
  return await (await service.call("/v1/models", { method: "POST", body })).json();
}

async function storeDigits(perDigit: number): Promise<string> {
  const body = digitsNpz({ perDigit });
  const sent = await service.call("/v1/datasets", { method: "POST", body });
  return ((await sent.json()) as Json).id;
}

/** What the model's file says of its making. */
async function lineage(id: string): Promise<Json> {
  const bytes = await (await service.call(`/v1/models/${id}/content`)).arrayBuffer();
  const { metadata } = await readModel(new MemorySource(new Uint8Array(bytes)));
  return JSON.parse(metadata.find(({ key }) => key === "hone.lineage")?.value ?? "null");
}

const PRUNE = { op: "prune", amount: 0.5 };
const QUANTIZE = { op: "quantize", method: "weight_only", bits: 8 };

it("simplify is a step like the others, done once on the same bytes", async () => {
  const model = await store(await untidyFile());
  const steps = [{ op: "simplify", input_shapes: { x: [1, 64] } }, QUANTIZE];
  const job = await post(`/v1/models/${model.id}/optimize`, { steps });
  expect(job).toMatchObject({ state: "succeeded", error: null });
  const [simplified] = job.result.steps;
  expect(simplified).toMatchObject({ op: "simplify", cached: false });
  const made = await get(`/v1/models/${simplified.model_id}`);
  expect(made).toMatchObject({ lineage: { parent: model.id, operation: "simplify" } });
  const again = await post(`/v1/models/${model.id}/optimize`, { steps: steps.slice(0, 1) });
  expect(again.result.steps[0]).toMatchObject({ cached: true, model_id: simplified.model_id });
});

it("each step works on what the step before made, and the result has the whole lineage", async () => {
  const model = await storeLinear();
  const steps = [PRUNE, QUANTIZE, { op: "verify" }, { op: "benchmark", runs: 3 }];
  const job = await post(`/v1/models/${model.id}/optimize`, { steps, name: "small.onnx" });
  expect(job).toMatchObject({ operation: "optimize", state: "succeeded", error: null });
  const { result } = job;
  expect(result.steps.map(({ op }: Json) => op)).toEqual([
    "prune",
    "quantize",
    "verify",
    "benchmark",
  ]);
  const [pruned, quantized, verified, timed] = result.steps;
  expect(result.lineage).toEqual([model.id, pruned.model_id, quantized.model_id]);
  expect(verified.model_id).toBe(quantized.model_id);
  expect(verified.measured.outputs.length).toBeGreaterThan(0);
  expect(timed.measured).not.toBeNull();
  const last = await get(`/v1/models/${result.model_id}`);
  expect(last).toMatchObject({
    name: "small.onnx",
    bytes: result.bytes,
    sha256: quantized.sha256,
    lineage: { parent: pruned.model_id, operation: "quantize", job: quantized.job_id },
  });
  expect(result).toMatchObject({ bytes_before: model.bytes, ratio: model.bytes / result.bytes });
  expect(job.progress.steps.map(({ state }: Json) => state)).toEqual(
    Array.from({ length: 4 }, () => "succeeded"),
  );
  expect(await lineage(result.model_id)).toMatchObject([
    { parent: model.sha256, operation: "prune", options: { amount: 0.5 } },
    { parent: pruned.sha256, operation: "quantize", options: { method: "weight_only", bits: 8 } },
  ]);
  const child = await get(`/v1/jobs/${pruned.job_id}`);
  expect(child).toMatchObject({ operation: "prune", model_id: model.id, state: "succeeded" });
});

it("the same step on the same bytes is done once, whatever the order of its options", async () => {
  const model = await storeLinear();
  const first = await post(`/v1/models/${model.id}/optimize`, { steps: [PRUNE, QUANTIZE] });
  const again = await post(`/v1/models/${model.id}/optimize`, {
    steps: [PRUNE, { bits: 8, method: "weight_only", op: "quantize" }],
  });
  expect(again.result.steps.map(({ cached }: Json) => cached)).toEqual([true, true]);
  expect(again.result.model_id).toBe(first.result.model_id);
  const other = await post(`/v1/models/${model.id}/optimize`, {
    steps: [PRUNE, { ...QUANTIZE, bits: 4 }],
  });
  expect(other.result.steps.map(({ cached }: Json) => cached)).toEqual([true, false]);
  await service.call(`/v1/models/${first.result.model_id}`, { method: "DELETE" });
  const anew = await post(`/v1/models/${model.id}/optimize`, { steps: [PRUNE, QUANTIZE] });
  expect(anew.result.steps.map(({ cached }: Json) => cached)).toEqual([true, false]);
});

it("ten recipes at once that begin with the same step do it once", async () => {
  const model = await storeLinear();
  const jobs = await Promise.all(
    Array.from({ length: 10 }, () =>
      post(`/v1/models/${model.id}/optimize`, { steps: [PRUNE, { op: "verify" }] }),
    ),
  );
  expect(new Set(jobs.map(({ result }) => result.model_id)).size).toBe(1);
  const done = jobs.filter(({ result }) => !result.steps[0].cached);
  expect(done.length).toBe(1);
});

it("a model is trained, quantized and evaluated, each once; a figure below its bound fails the recipe", async () => {
  const model = await store(await digitModelFile());
  const dataset = await storeDigits(30);
  const optimizer = { type: "adam", lr: 0.004 };
  const steps = (least: number) => [
    { op: "train", dataset, epochs: 4, batch_size: 20, optimizer },
    { op: "quantize", method: "weight_only" },
    { op: "evaluate", dataset, metrics: ["cross_entropy"], min: { accuracy: least } },
  ];
  const path = `/v1/models/${model.id}/optimize`;
  const { state, result, error } = await post(path, { steps: steps(0.5) });
  expect({ state, error }).toEqual({ state: "succeeded", error: null });
  const [trained, quantized, evaluated] = result.steps;
  expect(result.lineage).toEqual([model.id, trained.model_id, quantized.model_id]);
  expect(evaluated).toMatchObject({ op: "evaluate", model_id: quantized.model_id, cached: false });
  expect(evaluated.measured).toMatchObject({ backend: "wasm", rows: 300 });
  expect(Object.keys(evaluated.measured.metrics)).toEqual(["cross_entropy", "accuracy"]);
  const { accuracy } = evaluated.measured.metrics;
  expect(accuracy).toBeGreaterThan(0.5);
  expect(await lineage(quantized.model_id)).toMatchObject([
    {
      parent: model.sha256,
      operation: "train",
      options: { dataset: (await get(`/v1/datasets/${dataset}`)).sha256, epochs: 4, optimizer },
    },
    { parent: trained.sha256, operation: "quantize" },
  ]);
  const job = await get(`/v1/jobs/${trained.job_id}`);
  expect(job).toMatchObject({ operation: "train", model_id: model.id, dataset_id: dataset });

  const again = await post(path, { steps: steps(accuracy) });
  expect(again.result.steps.map(({ cached }: Json) => cached)).toEqual([true, true, true]);
  expect(again.result.steps[2].measured).toEqual(evaluated.measured);
  const missed = await post(path, { steps: steps(0.9999) });
  expect(missed).toMatchObject({
    state: "failed",
    error: {
      code: "bound_missed",
      detail: `step 3 (evaluate): accuracy is ${accuracy}, at least 0.9999 is asked for`,
    },
  });
  const none = await post(`${path}?dry_run=true`, {
    steps: [
      { op: "evaluate", dataset: "dataset_none" },
      { op: "evaluate", min: { bleu: 1 } },
    ],
  });
  expect(none.steps.map(({ refusal }: Json) => refusal?.code)).toEqual([
    "not_found",
    "invalid_request",
  ]);
});

it("a step that fails ends the recipe and is named", async () => {
  const model = await storeLinear();
  const steps = [PRUNE, { ...QUANTIZE, min_sqnr_db: 150 }, { op: "verify" }];
  const job = await post(`/v1/models/${model.id}/optimize`, { steps });
  expect(job.state).toBe("failed");
  expect(job.error.code).toBe("not_close_enough");
  expect(job.error.detail).toMatch(/^step 2 \(quantize\): /);
  expect(job.progress.steps.map(({ state }: Json) => state)).toEqual([
    "succeeded",
    "failed",
    "waiting",
  ]);
});

it("options are refused by the schema of the step's own endpoint, before anything is stored", async () => {
  const model = await storeLinear();
  const steps = [PRUNE, { op: "quantize", bitz: 4 }, { op: "fly" }];
  const refused = await post(`/v1/models/${model.id}/optimize`, { steps });
  expect(refused).toMatchObject({ status: 400, code: "unknown_option" });
  expect(refused.errors.map(({ path }: Json) => path)).toEqual(["steps[1].bitz", "steps[2].op"]);
  expect((await get(`/v1/jobs?model_id=${model.id}`)).data).toEqual([]);
});

it("a dry run tells the steps, what is there already, and what would be refused", async () => {
  const model = await storeLinear();
  const steps = [PRUNE, { op: "train", dataset: "dataset_none" }, { op: "quantize", bitz: 4 }];
  const path = `/v1/models/${model.id}/optimize`;
  const plan = await post(`${path}?dry_run=true`, { steps });
  expect(plan).toMatchObject({ object: "optimization_plan", ok: false });
  expect(plan.steps.map(({ refusal }: Json) => refusal?.code ?? null)).toEqual([
    null,
    "not_found",
    "unknown_option",
  ]);
  expect((await get(`/v1/jobs?model_id=${model.id}`)).data).toEqual([]);
  const { result } = await post(path, { steps: [PRUNE] });
  const second = await post(path, { steps: [PRUNE, QUANTIZE], dry_run: true });
  expect(second.ok).toBe(true);
  expect(second.steps).toMatchObject([
    { op: "prune", cached: true, model_id: result.model_id, bytes: model.bytes },
    { op: "quantize", cached: false, model_id: null, bytes: result.bytes },
  ]);
});

it("stored recipes have versions, and jobs say which one they were", async () => {
  const first = await post("/v1/recipes", { name: "small", steps: [PRUNE] });
  const second = await post("/v1/recipes", { name: "small", steps: [PRUNE, QUANTIZE] });
  expect([first.version, second.version]).toEqual([1, 2]);
  expect((await get("/v1/recipes/small")).id).toBe(second.id);
  expect((await get("/v1/recipes/small@1")).steps).toEqual([PRUNE]);
  expect((await get("/v1/recipes?name=small")).data.length).toBe(2);
  const model = await storeLinear();
  const job = await post(`/v1/models/${model.id}/optimize`, { recipe: "small@1" });
  expect(job).toMatchObject({ state: "succeeded" });
  expect(job.recipe).toEqual({ id: first.id, name: "small", version: 1 });
  expect(job.result.steps.length).toBe(1);
  expect((await service.call(`/v1/recipes/${second.id}`, { method: "DELETE" })).status).toBe(204);
  expect((await get("/v1/recipes/small")).version).toBe(1);
  expect((await post("/v1/recipes", { name: "small", steps: [PRUNE] })).version).toBe(3);
  expect(await post(`/v1/models/${model.id}/optimize`, { recipe: "none" })).toMatchObject({
    status: 404,
  });
});

it("canceling the recipe cancels the step that runs, and no later one begins", async () => {
  const model = await store(await digitModelFile());
  const endless = { op: "train", dataset: await storeDigits(1), steps: 1_000_000 };
  const steps = [endless, QUANTIZE];
  const quantized = async () =>
    (await get("/v1/jobs?limit=100&operation=quantize")).data.map(({ id }: Json) => id);
  const before = await quantized();
  const job = await post(`/v1/models/${model.id}/optimize`, { steps }, "respond-async");
  await expect
    .poll(async () => (await get(`/v1/jobs/${job.id}`)).progress.steps[0].state)
    .toBe("running");
  const canceled = await post(`/v1/jobs/${job.id}/cancel`);
  expect(canceled.state).toBe("canceled");
  await expect
    .poll(
      async () =>
        (await get("/v1/jobs?limit=100")).data.filter(
          ({ model_id, state }: Json) =>
            model_id === model.id && (state === "running" || state === "queued"),
        ).length,
    )
    .toBe(0);
  expect(await quantized()).toEqual(before);
  expect((await get(`/v1/jobs/${job.id}`)).state).toBe("canceled");
});

it("the events tell of each step", async () => {
  const model = await storeLinear();
  const job = await post(`/v1/models/${model.id}/optimize`, { steps: [PRUNE, QUANTIZE] });
  const events = await (await service.call(`/v1/jobs/${job.id}/events`)).text();
  expect(events).toContain('"doing":"prune: done"');
  expect(events).toContain('"doing":"quantize: done"');
  expect(events.trimEnd()).toMatch(/event: state\ndata: .*"state":"succeeded"/);
});
