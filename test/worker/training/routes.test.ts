import { expect, it } from "vitest";
import { linearFile } from "../service/models.ts";
import { newWorkspace, open } from "../service/service.ts";
import { newTraining, over, pointsNpz, weights } from "./trainings.ts";

const BRIEF = { steps: 4, batch_size: 16, world_size: 2 };

it("Prefer: wait answers 200 with the job when it is over in time", async () => {
  const { train } = await newTraining();
  const waited = await train(BRIEF, { Prefer: "wait=30" });
  expect([waited.status, waited.json.state]).toEqual([200, "succeeded"]);
  expect(waited.headers.get("Location")).toBe(`/v1/jobs/${waited.json.id}`);
});

it("the same Idempotency-Key does not train twice", async () => {
  const { train, call } = await newTraining();
  const first = await train(BRIEF, { "Idempotency-Key": "once" });
  const again = await train(BRIEF, { "Idempotency-Key": "once" });
  expect(again.json.id).toBe(first.json.id);
  const other = await train({ ...BRIEF, steps: 5 }, { "Idempotency-Key": "once" });
  expect(other.json).toMatchObject({ status: 422, code: "idempotency_key_reused" });
  expect((await call("/v1/jobs?operation=train")).json.data).toHaveLength(1);
});

it.each<[string, Record<string, unknown>, number, string, RegExp]>([
  ["an unknown option", { batchsize: 4 }, 400, "unknown_option", /nearest: "batch_size"/],
  ["a wrong type", { world_size: 65 }, 400, "invalid_request", /world_size/],
  ["another's model", { model: "model_none" }, 404, "not_found", /model_none/],
  ["another's dataset", { dataset: "dataset_none" }, 404, "not_found", /dataset_none/],
  [
    "another's validation rows",
    { validation: { dataset: "dataset_none" } },
    404,
    "not_found",
    /none/,
  ],
  ["another's teacher", { teacher: { model: "model_none" } }, 404, "not_found", /model_none/],
  ["another's job", { resume_from: { job: "job_none", step: 1 } }, 404, "not_found", /job_none/],
  ["steps and epochs", { epochs: 1 }, 422, "training_mismatch", /epochs.*or steps/],
  ["a field that is not there", { label: "lable" }, 422, "dataset_mismatch", /nearest: "label"/],
  ["a loss for other labels", { label: "x" }, 422, "dataset_mismatch", /x/],
  ["a pattern that fits nothing", { trainable: ["conv*"] }, 422, "unknown_name", /conv/],
  ["options that exclude each other", { lora: true, qat: true }, 422, "training_mismatch", /lora/],
  ["more ranks than rows", { validation: { fraction: 0.99 } }, 422, "training_mismatch", /rows/],
])("%s is refused", async (_name, options, status, code, detail) => {
  const { train, call } = await newTraining();
  const refused = await train({ ...BRIEF, ...options });
  expect(refused.json).toMatchObject({ status, code });
  expect(refused.json.detail).toMatch(detail);
  expect((await call("/v1/jobs")).json.data).toEqual([]);
});

it("what another workspace has is not found", async () => {
  const mine = await newTraining();
  const other = await newTraining();
  const job = await over(other, (await other.train(BRIEF)).json.id);
  for (const options of [
    { model: other.model },
    { dataset: other.dataset },
    { validation: { dataset: other.dataset } },
    { teacher: { model: other.model } },
    { resume_from: { job: job.id, step: 4 } },
  ]) {
    expect((await mine.train({ ...BRIEF, ...options })).json).toMatchObject({ code: "not_found" });
  }
  for (const path of ["", "/checkpoints", "/curve", "/events"]) {
    expect((await mine.call(`/v1/jobs/${job.id}${path}`)).status).toBe(404);
  }
});

it("a request without model and dataset says so", async () => {
  const { call } = await newWorkspace();
  const refused = await call("/v1/training-jobs", { json: {} });
  expect(refused.json).toMatchObject({ status: 400, code: "invalid_request" });
  expect(refused.json.errors.map(({ path }: { path: string }) => path)).toEqual([
    "model",
    "dataset",
  ]);
  const list = await call("/v1/training-jobs", { json: [] });
  expect(list.status).toBe(400);
});

it("a training that does not fit a rank is refused with the bytes it would need", async () => {
  const { train, call } = await newTraining();
  const { json: model } = await call("/v1/models", { body: await linearFile(4, 2_000_000) });
  const refused = await train({ ...BRIEF, model: model.id });
  expect(refused.json).toMatchObject({ status: 413, code: "rank_too_small" });
  expect(refused.json.detail).toMatch(/would need about \d+ MB.*ONNX Runtime/);
  expect(refused.json.hint).toMatch(/runner/);
});

it("a label that is no class is refused with dataset, field, row, value and classes", async () => {
  const { train, call, dataset } = await newTraining(96, { lastLabel: 3 });
  const refused = await train(BRIEF);
  expect(refused.json).toMatchObject({ status: 422, code: "dataset_mismatch" });
  expect(refused.json.detail).toMatch(
    `field "label" is 3 in row 95 of ${dataset}: the model has 3 classes`,
  );
  const { json: good } = await call("/v1/datasets", { body: pointsNpz(96) });
  const measured = await train({ ...BRIEF, dataset: good.id, validation: { dataset } });
  expect(measured.json.detail).toMatch(`in row 95 of ${dataset}`);
  expect((await train({ ...BRIEF, loss: { type: "cross_entropy", ignore_index: 3 } })).status).toBe(
    202,
  );
});

it("a model, a dataset and a teacher stay while they are used", async () => {
  const { train, call, model, dataset } = await newTraining();
  const made = await train({ ...BRIEF, steps: 2000, teacher: { model } });
  expect(made.status).toBe(202);
  const refused = await call(`/v1/datasets/${dataset}`, { method: "DELETE" });
  expect(refused.json).toMatchObject({ status: 409, code: "dataset_in_use" });
  expect((await call(`/v1/models/${model}`, { method: "DELETE" })).status).toBe(409);
  const canceled = await call(`/v1/jobs/${made.json.id}/cancel`, { method: "POST" });
  expect([canceled.status, canceled.json.state]).toEqual([200, "canceled"]);
  expect((await call(`/v1/datasets/${dataset}`, { method: "DELETE" })).status).toBe(204);
  expect((await call(`/v1/models/${model}`, { method: "DELETE" })).status).toBe(204);
});

it("events tell progress with each rank's figures, each epoch's metrics, and end", async () => {
  const { train, call, key } = await newTraining();
  const { json } = await train({ epochs: 2, batch_size: 16, world_size: 2 });
  const response = await open(`/v1/jobs/${json.id}/events`, {
    headers: { Authorization: `Bearer ${key}` },
  });
  const events = [...(await response.text()).matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(
    ([, type, data]) => ({ type, data: JSON.parse(data ?? "") }),
  );
  const states = events.filter(({ type }) => type === "state").map(({ data }) => data.state);
  expect([...new Set(states)]).toEqual(["queued", "running", "succeeded"]);
  const metrics = events.filter(({ type }) => type === "metrics").map(({ data }) => data);
  expect(metrics.map(({ epoch, step }) => [epoch, step])).toEqual([
    [1, 3],
    [2, 6],
  ]);
  const last = events.findLast(({ type, data }) => type === "progress" && data.ranks.length === 2);
  expect(last?.data).toMatchObject({ steps: 6, loss: expect.any(Number) });
  expect(last?.data.ranks[1]).toMatchObject({
    rank: 1,
    compute_ms: expect.any(Number),
    allreduce_ms: expect.any(Number),
    wait_ms: expect.any(Number),
  });
  const job = (await call(`/v1/jobs/${json.id}`)).json;
  expect(job.metrics).toEqual(metrics);
});

it("a canceled training stops, and keeps the checkpoints that it has", async () => {
  const training = await newTraining();
  const { train, call } = training;
  const { json } = await train({ ...BRIEF, steps: 100_000, checkpoint_every: 5 });
  await expect
    .poll(async () => (await call(`/v1/jobs/${json.id}/checkpoints`)).json.data.length)
    .toBeGreaterThan(1);
  expect((await call(`/v1/jobs/${json.id}/cancel`, { method: "POST" })).json.state).toBe(
    "canceled",
  );
  const { data } = (await call(`/v1/jobs/${json.id}/checkpoints`)).json;
  const [{ step, world_size }] = data;
  expect(world_size).toBe(2);
  const resumed = await train({ ...BRIEF, steps: step + 3, resume_from: { job: json.id, step } });
  const job = await over(training, resumed.json.id);
  expect(job).toMatchObject({ state: "succeeded", result: { step: step + 3 } });
});

it("a job that goes on from a checkpoint ends in the weights of one that never stopped", async () => {
  const training = await newTraining();
  const { train, model, dataset } = training;
  const options = { batch_size: 8, world_size: 3, optimizer: "adamw", schedule: "constant" };
  const whole = await over(training, (await train({ ...options, steps: 20 })).json.id);
  const half = await over(training, (await train({ ...options, steps: 9 })).json.id);
  const { status, json } = await training.call("/v1/training-jobs", {
    json: { resume_from: { job: half.id, step: 9 }, steps: 20 },
  });
  expect(status).toBe(202);
  expect(json).toMatchObject({ model_id: model, dataset_id: dataset });
  const rest = await over(training, json.id);
  expect(await weights(training, rest.result.model_id)).toEqual(
    await weights(training, whole.result.model_id),
  );
  const points = (await training.call(`/v1/jobs/${json.id}/curve`)).json.data;
  expect(points.map(({ step }: { step: number }) => step)).toEqual(
    Array.from({ length: 11 }, (_, i) => i + 10),
  );
  expect(rest.metrics).toMatchObject([
    { epoch: 3, step: 12 },
    { epoch: 4, step: 16 },
    { epoch: 5, step: 20 },
  ]);
});

it("other ranks go on with the rows of the epoch that are left", async () => {
  const training = await newTraining();
  const { call } = training;
  const options = { batch_size: 8, world_size: 3, steps: 6 };
  const first = await over(training, (await training.train(options)).json.id);
  const goOn = async (step: number, job: string, more: object) => {
    const json = { resume_from: { job, step }, ...more };
    return await over(training, (await call("/v1/training-jobs", { json })).json.id);
  };
  // 48 of 96 rows are read: 3 steps of two ranks are left of the second epoch.
  const second = await goOn(6, first.id, { world_size: 2, epochs: 3 });
  expect(second).toMatchObject({ state: "succeeded", result: { step: 15 } });
  expect(second.metrics).toMatchObject([
    { epoch: 2, step: 9 },
    { epoch: 3, step: 15 },
  ]);
  const third = await goOn(15, second.id, { world_size: 4, batch_size: 12, epochs: 4 });
  expect(third).toMatchObject({ result: { step: 17 }, metrics: [{ epoch: 4, step: 17 }] });
});

it("what a checkpoint does not hold is asked for in vain", async () => {
  const training = await newTraining();
  const sgd = { type: "sgd", lr: 0.05 };
  const options = { steps: 4, batch_size: 8, optimizer: sgd, lora: true };
  const first = await over(training, (await training.train(options)).json.id);
  const fork = async (more: object) =>
    await training.call("/v1/training-jobs", {
      json: { resume_from: { job: first.id, step: 4 }, steps: 6, ...more },
    });
  expect((await fork({ optimizer: { ...sgd, momentum: 0.9 } })).json).toMatchObject({
    code: "training_mismatch",
    detail: expect.stringMatching(/momentum_buffer, which job_\w+ did not keep/),
  });
  expect((await fork({ lora: { rank: 4 } })).json.detail).toMatch(/`lora` is true in job_/);
  expect((await fork({ frozen: ["b1"] })).json.detail).toMatch(/`frozen` is not given/);
  const { json: other } = await training.call("/v1/models", { body: await linearFile(4, 3) });
  expect((await fork({ model: other.id })).json.detail).toMatch(/`model` is "model_/);
  // The same in other words.
  const same = await fork({ lora: { alpha: 16, rank: 8 }, optimizer: { ...sgd, lr: 0.01 } });
  expect((await over(training, same.json.id)).state).toBe("succeeded");
});

it("a fork takes other ranks, another mode, another optimizer; not another vector", async () => {
  const training = await newTraining();
  const { call } = training;
  const first = await over(
    training,
    (await training.train({ steps: 10, batch_size: 8, world_size: 3 })).json.id,
  );
  const from = { resume_from: { job: first.id, step: 10 } };
  const fork = async (options: object) =>
    await call("/v1/training-jobs", { json: { ...from, ...options } });
  const wider = await over(training, (await fork({ world_size: 2, steps: 14 })).json.id);
  expect(wider).toMatchObject({ state: "succeeded", result: { step: 14 } });
  const other = await over(
    training,
    (await fork({ mode: "local_sgd", optimizer: "sgd", steps: 4 })).json.id,
  );
  expect(other).toMatchObject({ state: "succeeded", result: { step: 4 } });
  expect((await fork({ lora: true })).json).toMatchObject({ code: "training_mismatch" });
  expect((await fork({ steps: 10 })).json.detail).toMatch(/ends with step 10/);
  expect((await fork({ resume_from: { job: first.id, step: 3 } })).json).toMatchObject({
    status: 404,
    code: "not_found",
  });
});

it("checkpoints and curves belong to trainings", async () => {
  const { call, model } = await newTraining();
  const { json } = await call(`/v1/models/${model}/prune`, {
    json: {},
    headers: { Prefer: "wait" },
  });
  for (const path of ["checkpoints", "curve"]) {
    expect((await call(`/v1/jobs/${json.id}/${path}`)).status).toBe(404);
    expect((await call(`/v1/jobs/job_none/${path}`)).status).toBe(404);
  }
  expect((await call(`/v1/jobs/${json.id}/curve?points=0`)).status).toBe(400);
});

it("metrics are those that are asked for, where the loss has them", async () => {
  const training = await newTraining();
  const { train } = training;
  const job = await over(training, (await train({ ...BRIEF, metrics: ["loss"] })).json.id);
  expect(job.metrics[0]).toMatchObject({ loss: expect.any(Number), accuracy: null });
  const [{ accuracy }] = (await over(training, (await train(BRIEF)).json.id)).metrics;
  expect(accuracy).toBeGreaterThan(0);
  const none = await train({ ...BRIEF, loss: "output:logits", metrics: ["accuracy"] });
  expect(none.json).toMatchObject({ status: 422, code: "training_mismatch" });
});

it("a learning rate may stand beside the optimizer's name", async () => {
  const training = await newTraining();
  const ids = [
    { optimizer: { type: "sgd", lr: 0.2 } },
    { optimizer: "sgd", lr: 0.2 },
    { optimizer: "sgd", lr: 0.1 },
  ].map(async (options) => (await training.train({ ...BRIEF, ...options })).json.id);
  const jobs = [];
  for (const id of ids) jobs.push(await over(training, await id));
  const [object, beside, other] = await Promise.all(
    jobs.map(async (job) => await weights(training, job.result.model_id)),
  );
  expect(beside).toEqual(object);
  expect(other).not.toEqual(object);
});

it("what is wrong inside an option is said with its path", async () => {
  const { train } = await newTraining();
  const answers = [
    await train({ ...BRIEF, optimizer: { type: "adam", lr: "high" } }),
    await train({ ...BRIEF, optimizer: { type: "adam", momentumm: 0.9 } }),
    await train({ ...BRIEF, optimizer: "adan" }),
  ];
  expect(answers.map(({ json }) => [json.code, json.errors[0].path])).toEqual([
    ["invalid_request", "optimizer.lr"],
    ["unknown_option", "optimizer.momentumm"],
    ["invalid_request", "optimizer"],
  ]);
});
