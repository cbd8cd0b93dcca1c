/** @file Searches: a goal instead of steps, the trade-off curve, what is kept; planned, refused, canceled. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;
let dataset: string;
let model: Json;

beforeAll(async () => {
  service = await newService();
  ({ id: dataset } = await sent("/v1/datasets", digitsNpz({ perDigit: 40 })));
  const { id } = await sent("/v1/models", await digitModelFile());
  const trained = await post("/v1/training-jobs", {
    model: id,
    dataset,
    epochs: 4,
    batch_size: 20,
    optimizer: { type: "adam", lr: 0.004 },
  });
  model = await get(`/v1/models/${trained.result.model_id}`);
});
afterAll(async () => await service.end());

async function get(path: string): Promise<Json> {
  return await (await service.call(path)).json();
}

async function sent(path: string, body: Uint8Array<ArrayBuffer>): Promise<Json> {
  return await (await service.call(path, { method: "POST", body })).json();
}

async function post(path: string, body: unknown, prefer = "wait=60"): Promise<Json> {
  const response = await service.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: prefer },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Json;
  if (response.status !== 202 || prefer === "respond-async") return answer;
  // Not over in time. The events end when the job does.
  await (await service.call(`/v1/jobs/${answer.id}/events`)).text();
  return await get(`/v1/jobs/${answer.id}`);
}

const GOAL = { max_drop: 0.02, metric: "accuracy", executor: "edge" };

async function optimize(goal: object, options: object = {}, prefer?: string): Promise<Json> {
  const body = { goal: { ...GOAL, dataset, ...goal }, ...options };
  return await post(`/v1/models/${model.id}/optimize`, body, prefer);
}

it("the best model is the smallest within the drop; all that was tried is a curve; the others are gone", async () => {
  const before = (await get("/v1/models?limit=100")).data.length;
  const job = await optimize({ max_evaluations: 8 }, { name: "best.onnx" });
  expect(job).toMatchObject({ operation: "optimize", state: "succeeded", error: null });
  const { result } = job;
  const { search } = result;
  const [original, ...tried] = search.trials;
  expect(original).toMatchObject({ method: "original", bytes: model.bytes, drop: 0, meets: true });
  expect(original.metric).toBeGreaterThan(0.6);
  expect(tried.map(({ method }: Json) => method)).toContain("weight_only bits=4 block_size=32");
  expect(search).toMatchObject({ metric: "accuracy", minimize: "bytes", max_drop: 0.02 });
  expect(search.evaluations).toBe(search.trials.length);
  expect(search.evaluations).toBeLessThanOrEqual(8);

  const best = search.trials[search.best];
  expect(best).toMatchObject({ meets: true, on_curve: true, model_id: result.model_id });
  expect(best.metric).toBeGreaterThanOrEqual(original.metric - 0.02 - 1e-9);
  const good = search.trials.filter(({ meets }: Json) => meets).map(({ bytes }: Json) => bytes);
  expect(best.bytes).toBe(Math.min(...good));
  expect(result).toMatchObject({ bytes: best.bytes, bytes_before: model.bytes });
  expect(result.lineage).toEqual([model.id, result.model_id]);
  expect(result.steps.map(({ op }: Json) => op)).toEqual(["quantize", "evaluate"]);
  const evaluation = await get(`/v1/jobs/${best.evaluation_job_id}`);
  expect(evaluation.result.metrics).toEqual({ accuracy: best.metric });
  expect(await get(`/v1/models/${result.model_id}`)).toMatchObject({
    name: "best.onnx",
    bytes: best.bytes,
    lineage: { parent: model.id, operation: "quantize", job: best.job_id },
  });
  await expect.poll(async () => (await get("/v1/models?limit=100")).data.length).toBe(before + 1);

  // What is measured on the same bytes is not measured again.
  const again = await optimize({ max_evaluations: 8, keep: "all" });
  const { trials } = again.result.search;
  expect(again.result.model_id).toBe(result.model_id);
  expect(trials.map(({ metric, bytes }: Json) => [metric, bytes])).toEqual(
    search.trials.map(({ metric, bytes }: Json) => [metric, bytes]),
  );
  expect(trials.map(({ evaluation_job_id: id }: Json) => id)).toEqual(
    search.trials.map(({ evaluation_job_id: id }: Json) => id),
  );
  for (const { model_id } of trials)
    expect(await get(`/v1/models/${model_id}`)).toHaveProperty("id");
});

it("latency is measured beside the original's", async () => {
  const job = await optimize({ minimize: "latency", max_evaluations: 2, max_drop: 1 });
  const { trials } = (job.result ?? job.error.report).search;
  expect(trials).toHaveLength(2);
  for (const { latency_ms } of trials) expect(latency_ms).toBeGreaterThanOrEqual(0);
});

it("a model that nothing makes smaller ends with what was tried", async () => {
  const path = `/v1/models/${model.id}`;
  const { result } = await post(`${path}/quantize`, { method: "dynamic" });
  const goal = { ...GOAL, dataset, max_evaluations: 4, max_drop: 0 };
  const job = await post(`/v1/models/${result.model_id}/optimize`, { goal });
  expect(job).toMatchObject({ state: "failed", result: null });
  expect(job.error.code).toMatch(/^(nothing_to_gain|bound_missed)$/);
  expect(job.error.report.search.trials[0]).toMatchObject({ method: "original", drop: 0 });
  expect(job.error.report.search.best).toBeNull();
});

it("a dry run lists the candidates; what does not fit is refused before anything runs", async () => {
  const plan = await optimize({}, { dry_run: true });
  expect(plan).toMatchObject({ object: "optimization_plan", ok: true, steps: [] });
  const four = plan.search.candidates.find(({ options }: Json) => options.bits === 4);
  expect(four).toMatchObject({ method: "weight_only bits=4 block_size=32", nodes: 4 });
  expect(four.bytes).toBeLessThan(model.bytes / 2);
  const label = await optimize({ label: "none" }, { dry_run: true });
  expect(label).toMatchObject({ status: 422, code: "dataset_mismatch" });
  expect(await optimize({ dataset: "dataset_none" })).toMatchObject({ status: 404 });
  expect(await optimize({ metric: "mse" })).toMatchObject({
    status: 422,
    code: "dataset_mismatch",
  });
  const wrong = await optimize({ minimise: "bytes" });
  expect(wrong).toMatchObject({ status: 400, code: "unknown_option" });
  expect(wrong.errors[0].path).toBe("goal.minimise");
  expect(await optimize({}, { steps: [] })).toMatchObject({ status: 400 });
});

it("canceled between candidates, nothing of it runs on", async () => {
  const goal = { split: { fraction: 0.9, seed: 1 }, batch_size: 1 };
  const job = await optimize(goal, {}, "respond-async");
  await expect
    .poll(async () => (await get(`/v1/jobs/${job.id}`)).progress.steps.length, {
      interval: 20,
    })
    .toBeGreaterThan(2);
  expect((await post(`/v1/jobs/${job.id}/cancel`, {})).state).toBe("canceled");
  const running = async () =>
    (await get("/v1/jobs?limit=100")).data.filter(({ state }: Json) =>
      ["queued", "running"].includes(state),
    ).length;
  await expect.poll(running).toBe(0);
  const jobs = (await get("/v1/jobs?limit=100")).data.length;
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect((await get("/v1/jobs?limit=100")).data.length).toBe(jobs);
});
