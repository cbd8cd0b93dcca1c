import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { LocalCheckpoints } from "../../../src/jobs/training/local-checkpoints.ts";
import { RankRun } from "../../../src/jobs/training/rank-run.ts";
import { TrainingObjects } from "../../../src/jobs/training/training-objects.ts";
import { env } from "../service/service.ts";
import { failCalls, type Fate, hang, onMessages, onReports } from "./faults.ts";
import { newTraining, over, type Training } from "./trainings.ts";

const STEPS = 12;
const common = {
  world_size: 3,
  steps: STEPS,
  batch_size: 8,
  checkpoint_every: 4,
  optimizer: { type: "adam", lr: 0.02 },
};
const SYNC = { ...common, mode: "sync" };
const COMPRESSED = { ...common, mode: "sync", allreduce: { compression: "int8" } };
const LOCAL = { ...common, mode: "local_sgd", local_steps: 2 };
const ASYNC = { ...common, mode: "async", steps: 40, validation: { fraction: 0.25 } };

type Options = Record<string, unknown>;

let shared: Promise<Training> | undefined;
const training = () => (shared ??= newTraining());
const undisturbed = new Map<string, Promise<{ sha256: string; curve: unknown }>>();

/** The result's bytes by their hash, and the loss of each step. */
async function outcome(job: { id: string; result: { model_id: string } }) {
  const { call } = await training();
  const { sha256 } = (await call(`/v1/models/${job.result.model_id}`)).json;
  const curve = (await call(`/v1/jobs/${job.id}/curve?points=4000`)).json.data;
  return { sha256, curve };
}

async function start(options: Options): Promise<string> {
  const made = await (await training()).train(options);
  expect(made.status).toBe(202);
  return made.json.id;
}

async function run(options: Options) {
  const job = await over(await training(), await start(options));
  expect(job).toMatchObject({ error: null, state: "succeeded" });
  return job;
}

/** What comes of it when nothing goes wrong. */
function straight(options: Options) {
  const key = JSON.stringify(options);
  const known = undisturbed.get(key) ?? run(options).then(outcome);
  undisturbed.set(key, known);
  return known;
}

/** The job ended as if nothing had happened: the same bytes, every step counted once, with the same loss. */
async function expectUndisturbed(
  job: { id: string; result: { model_id: string } },
  options: Options,
) {
  expect(await outcome(job)).toEqual(await straight(options));
}

/** The `n`th message of a rank, once. */
const once = (rank: number, n: number, fate: Fate) => {
  let struck = false;
  return (to: number, count: number): Fate | undefined => {
    if (struck || to !== rank || count !== n) return undefined;
    struck = true;
    return fate;
  };
};

const stubOf = (job: string, rank: number) => env.RANKS.getByName(`${job}/${rank}`);
const reports = async (taken: () => number, n: number) =>
  await expect.poll(taken, { interval: 5 }).toBeGreaterThanOrEqual(n);

it("an undisturbed training counts each step once", async () => {
  const { curve } = await straight(SYNC);
  const steps = (curve as { step: number }[]).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
});

it.each<[string, Options, number, number, Fate]>([
  ["sync, first message", SYNC, 1, 1, "crash_before"],
  ["sync, within the second step", SYNC, 0, 6, "crash_after"],
  ["sync, in mid-training", SYNC, 2, 27, "crash_before"],
  ["sync, the last message", SYNC, 1, 48, "crash_after"],
  ["int8 with error feedback, in mid-training", COMPRESSED, 2, 30, "crash_before"],
  ["local_sgd, first exchange", LOCAL, 0, 2, "crash_before"],
  ["local_sgd, in mid-training", LOCAL, 1, 15, "crash_after"],
])("a rank that dies ends in the same bytes: %s", async (_name, options, rank, n, fate) => {
  await straight(options);
  onMessages(once(rank, n, fate));
  const job = await run(options);
  expect(job.attempts).toBe(2);
  await expectUndisturbed(job, options);
});

it("two ranks that die one after the other end in the same bytes", async () => {
  await straight(SYNC);
  const [first, second] = [once(0, 10, "crash_before"), once(2, 25, "crash_before")];
  onMessages((rank, count) => first(rank, count) ?? second(rank, count));
  const job = await run(SYNC);
  expect(job.attempts).toBe(3);
  await expectUndisturbed(job, SYNC);
});

it.each<[string, Options, (rank: number, count: number) => Fate | undefined]>([
  ["every message twice", SYNC, () => "duplicate"],
  ["every message twice in local_sgd", LOCAL, () => "duplicate"],
  ["every seventh late", SYNC, (_, count) => (count % 7 === 0 ? "delay" : undefined)],
])("changes nothing, and nobody is restarted: %s", async (_name, options, fate) => {
  await straight(options);
  onMessages(fate);
  const job = await run(options);
  expect(job.attempts).toBe(1);
  await expectUndisturbed(job, options);
});

it.each<[string, Fate]>([
  ["a message that never comes", "lose"],
  ["an answer that never comes", "lose_answer"],
])("%s is not waited for for ever", async (_name, fate) => {
  await straight(SYNC);
  onMessages(once(1, 20, fate));
  const job = await run(SYNC);
  expect(job.attempts).toBe(2);
  await expectUndisturbed(job, SYNC);
});

it.each<[number, Fate]>([
  [1, "crash_before"],
  [8, "crash_after"],
  [14, "lose_answer"],
])("a job that dies at report %i goes on: %s", async (n, fate) => {
  await straight(SYNC);
  let struck = false;
  onReports((count) => {
    if (struck || count !== n) return undefined;
    struck = true;
    return fate;
  });
  const job = await run(SYNC);
  expect(struck).toBe(true);
  await expectUndisturbed(job, SYNC);
});

it("all objects at once may die", async () => {
  await straight(SYNC);
  const { taken } = onReports(() => undefined);
  const job = await start(SYNC);
  await reports(taken, 9);
  await abortAllDurableObjects();
  const done = await over(await training(), job);
  expect(done).toMatchObject({ error: null, state: "succeeded" });
  await expectUndisturbed(done, SYNC);
});

it("evicted ranks and jobs come back", async () => {
  await straight(SYNC);
  const { taken } = onReports(() => undefined);
  const job = await start(SYNC);
  await reports(taken, 6);
  // An object that is at work is evicted when it pauses.
  await evictDurableObject(env.TRAINING_JOBS.getByName(job));
  await evictDurableObject(stubOf(job, 1));
  const done = await over(await training(), job);
  expect(done).toMatchObject({ error: null, state: "succeeded" });
  await expectUndisturbed(done, SYNC);
});

it.each<[string, () => void]>([
  [
    "a checkpoint that R2 does not take",
    () => failCalls(TrainingObjects.prototype, "putState", [2], "put: internal error (10001)"),
  ],
  [
    "a plan that R2 does not give",
    () => failCalls(TrainingObjects.prototype, "getJson", [2], "get: internal error (10001)"),
  ],
  [
    "graphs that R2 does not take",
    () => failCalls(TrainingObjects.prototype, "putVector", [1], "put: internal error (10001)"),
  ],
  [
    "a checkpoint that SQLite does not take",
    () => failCalls(LocalCheckpoints.prototype, "save", [4], "SQLITE_FULL"),
  ],
])("%s is tried again", async (_name, fail) => {
  await straight(SYNC);
  fail();
  await expectUndisturbed(await run(SYNC), SYNC);
});

it("a rank that hangs is given up", async () => {
  await straight(SYNC);
  hang(RankRun.prototype, "slice", [2]);
  const job = await run(SYNC);
  expect(job.attempts).toBeGreaterThan(1);
  await expectUndisturbed(job, SYNC);
});

it("a training that comes no further fails with the reason, and keeps its last checkpoint", async () => {
  const from = 30;
  onMessages((rank, count) => (rank === 1 && count >= from ? "crash_before" : undefined));
  const { call } = await training();
  const job = await over(await training(), await start(SYNC));
  expect(job).toMatchObject({ state: "failed", error: { code: "gave_up" } });
  expect(job.error.detail).toMatch(/without getting further.*rank/);
  expect(job.checkpoint_step).toBe(4);
  const { data } = (await call(`/v1/jobs/${job.id}/checkpoints`)).json;
  expect(data.map(({ step }: { step: number }) => step)).toContain(4);
});

it("a plan that R2 never gives back fails the job, and the pauses grow", async () => {
  const calls = Array.from({ length: 200 }, (_, i) => i + 1);
  failCalls(TrainingObjects.prototype, "getJson", calls, "get: internal error (10001)");
  const job = await over(await training(), await start(SYNC));
  expect(job.state).toBe("failed");
  expect(["gave_up", "storage_unavailable"]).toContain(job.error.code);
  expect(job.attempts).toBeLessThanOrEqual(8);
});

it("an async training whose rank dies still learns", async () => {
  onMessages(once(1, 60, "crash_before"));
  const job = await run(ASYNC);
  expect(job.attempts).toBe(2);
  expect(job.result.metrics.validation_accuracy).toBeGreaterThan(0.9);
});

it("a loss that is not a number stops the job with the step and the last checkpoint", async () => {
  const bad = await newTraining(96, { bad: true });
  const options = { ...SYNC, world_size: 2, shuffle: false, checkpoint_every: 2 };
  const job = await over(bad, (await bad.train(options)).json.id);
  expect(job).toMatchObject({ state: "failed", error: { code: "training_diverged", status: 422 } });
  expect(job.error.detail).toMatch(/the loss is NaN at step 5/);
  expect(job.checkpoint_step).toBe(4);
});

it("after the end no rank keeps anything", async () => {
  const job = await run(SYNC);
  await expect
    .poll(async () => (await env.BLOBS.list({ prefix: `training/` })).objects.map(({ key }) => key))
    .not.toContain(expect.stringContaining(`${job.id}/step.onnx`));
  const kept = await runInDurableObject(stubOf(job.id, 0), (_, state) => state.storage.list());
  expect(kept.size).toBe(0);
});
