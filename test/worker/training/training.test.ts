import { expect, it } from "vitest";
import { newTraining, over, weights } from "./trainings.ts";

const OPTIONS = { epochs: 3, batch_size: 8, optimizer: { type: "adam", lr: 0.02 } };

it("one rank trains to a lower loss, and the model says where it comes from", async () => {
  const training = await newTraining();
  const made = await training.train({ ...OPTIONS, validation: { fraction: 0.25 } });
  expect(made.json).toMatchObject({ object: "job", operation: "train" });
  expect(made.status).toBe(202);
  const job = await over(training, made.json.id);
  expect(job.error).toBeNull();
  expect(job).toMatchObject({ state: "succeeded", attempts: 1, checkpoint_step: 27 });
  expect(job.metrics).toHaveLength(3);
  const [first, , last] = job.metrics;
  expect(last.loss).toBeLessThan(first.loss * 0.7);
  expect(last.validation_accuracy).toBeGreaterThan(0.9);
  const model = await training.call(`/v1/models/${job.result.model_id}`);
  expect(model.json).toMatchObject({
    name: "points.trained.onnx",
    job_id: job.id,
    lineage: { parent: training.model, dataset: training.dataset, operation: "train" },
  });
  const before = await weights(training, training.model);
  const after = await weights(training, job.result.model_id);
  expect(Object.keys(after)).toEqual(Object.keys(before));
  expect(after["w1"]).not.toEqual(before["w1"]);
});

it("four ranks that average in every step end with the weights of one with four times the batch", async () => {
  const training = await newTraining();
  const sgd = { epochs: 2, optimizer: { type: "sgd", lr: 0.1 }, shuffle: false };
  const one = await training.train({ ...sgd, batch_size: 96 });
  const four = await training.train({ ...sgd, batch_size: 24, world_size: 4, mode: "sync" });
  const jobs = [await over(training, one.json.id), await over(training, four.json.id)];
  expect(jobs.map((job) => job.state)).toEqual(["succeeded", "succeeded"]);
  const [alone, together] = await Promise.all(
    jobs.map((job) => weights(training, job.result.model_id)),
  );
  for (const [name, values] of Object.entries(alone ?? {})) {
    values.forEach((value, i) => expect(together?.[name]?.[i]).toBeCloseTo(value, 5));
  }
  const { ranks, bytes_reduced } = jobs[1].progress;
  expect(ranks.map((rank: { rank: number }) => rank.rank)).toEqual([0, 1, 2, 3]);
  expect(bytes_reduced).toBeGreaterThan(0);
});

it.each([
  ["sync", {}],
  ["local_sgd", { local_steps: 4 }],
  ["local_sgd", {}],
  ["async", { max_staleness: 2 }],
])("%s trains on three ranks to more than nine of ten", async (mode, options) => {
  const training = await newTraining();
  const made = await training.train({
    ...OPTIONS,
    ...options,
    mode,
    world_size: 3,
    epochs: 8,
    validation: { fraction: 0.25 },
  });
  const job = await over(training, made.json.id);
  expect(job.error).toBeNull();
  expect(job).toMatchObject({ state: "succeeded", attempts: 1 });
  expect(job.result.metrics.validation_accuracy).toBeGreaterThan(0.9);
  expect(job.metrics).toHaveLength(8);
});

it("twenty ranks in a ring end with the same weights as two", async () => {
  const training = await newTraining(200);
  const sgd = { steps: 3, optimizer: { type: "sgd", lr: 0.1 }, shuffle: false };
  const two = await training.train({ ...sgd, batch_size: 100, world_size: 2 });
  const ring = { allreduce: { algorithm: "ring" } };
  const twenty = await training.train({ ...sgd, ...ring, batch_size: 10, world_size: 20 });
  const jobs = [await over(training, two.json.id), await over(training, twenty.json.id)];
  expect(jobs.map((job) => [job.state, job.attempts])).toEqual([
    ["succeeded", 1],
    ["succeeded", 1],
  ]);
  const [few, many] = await Promise.all(jobs.map((job) => weights(training, job.result.model_id)));
  for (const [name, values] of Object.entries(few ?? {})) {
    values.forEach((value, i) => expect(many?.[name]?.[i]).toBeCloseTo(value, 5));
  }
});

it.each<[string, Record<string, unknown>, string[]]>([
  ["LoRA", { lora: { rank: 2 } }, ["b1", "b2"]],
  ["frozen parameters", { frozen: ["w2", "b*"] }, ["w2", "b1", "b2"]],
  ["a pattern of trainable ones", { trainable: ["w2"] }, ["w1", "b1", "b2"]],
])("%s leaves the others' bits alone", async (_name, options, kept) => {
  const training = await newTraining();
  const { json } = await training.train({ ...OPTIONS, ...options, world_size: 2 });
  const job = await over(training, json.id);
  expect(job.error).toBeNull();
  const before = await weights(training, training.model);
  const after = await weights(training, job.result.model_id);
  const same = Object.keys(before).filter(
    (name) => JSON.stringify(before[name]) === JSON.stringify(after[name]),
  );
  expect(same).toEqual(Object.keys(before).filter((name) => kept.includes(name)));
});

it("a pruned model keeps its zeros", async () => {
  const training = await newTraining();
  const { call, model } = training;
  const { json: pruned } = await call(`/v1/models/${model}/prune`, {
    json: { amount: 0.5 },
    headers: { Prefer: "wait" },
  });
  const { json } = await training.train({
    ...OPTIONS,
    model: pruned.result.model_id,
    keep_sparsity: true,
    world_size: 2,
  });
  const job = await over(training, json.id);
  const zeros = async (id: string) =>
    ((await weights(training, id))["w1"] ?? []).map((value) => value === 0);
  expect(await zeros(job.result.model_id)).toEqual(await zeros(pruned.result.model_id));
});

it("training through rounding gives a model of codes, a teacher is followed", async () => {
  const training = await newTraining();
  const rounded = await over(training, (await training.train({ ...OPTIONS, qat: true })).json.id);
  expect(rounded.error).toBeNull();
  const { json } = await training.call(`/v1/models/${rounded.result.model_id}/graph`);
  expect(JSON.stringify(json)).toMatch(/QuantizeLinear/);
  const taught = await training.train({
    ...OPTIONS,
    teacher: { model: rounded.result.model_id, alpha: 0.5 },
  });
  expect(
    taught.status === 202 ? (await over(training, taught.json.id)).state : taught.json.detail,
  ).toBe("succeeded");
});
