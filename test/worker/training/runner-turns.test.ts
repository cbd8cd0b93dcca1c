/** @file Trainings that share too few runners: they take turns, none waits for ever, and the bytes are those of an undisturbed one. */
import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { runnerPool } from "../../../src/jobs/runners/pool.ts";
import { FakeRunner } from "./fake-runner.ts";
import { newTraining, over, type Training } from "./trainings.ts";

const OPTIONS = {
  steps: 6,
  batch_size: 8,
  world_size: 2,
  optimizer: { type: "adam", lr: 0.02 },
  validation: { fraction: 0.25 },
};
type Mode = Record<string, unknown>;

async function run(training: Training, options: Mode) {
  const { json } = await training.train({ ...OPTIONS, ...options });
  return json.id as string;
}

/** What became of it, by its result's bytes. */
async function outcome(training: Training, id: string) {
  const job = await over(training, id);
  expect(job).toMatchObject({
    error: null,
    state: "succeeded",
    result: { step: job.progress.step },
  });
  const { sha256 } = (await training.call(`/v1/models/${job.result.model_id}`)).json;
  return { job, sha256 };
}

const straight = new Map<string, Promise<string>>();

/** The bytes of the same training on the edge. */
function bytesOf(options: Mode): Promise<string> {
  const key = JSON.stringify(options);
  const known = straight.get(key);
  if (known) return known;
  const made = (async () => {
    const training = await newTraining();
    const id = await run(training, { ...options, executor: "auto" });
    return (await outcome(training, id)).sha256;
  })();
  straight.set(key, made);
  return made;
}

const taken = (runner: FakeRunner, id: string) =>
  runner.tasks.filter(({ id: task }) => task.startsWith(`${id}/`)).length;

it.each<[string, Mode]>([
  ["sync", { steps: 4 }],
  ["local_sgd", { mode: "local_sgd", local_steps: 3, steps: 12 }],
])(
  "a training in %s that wants two runners does not wait for the end of one that has them",
  async (_name, mode) => {
    const training = await newTraining();
    const runners = [
      await FakeRunner.join(training, "first"),
      await FakeRunner.join(training, "second"),
    ];
    const long = await run(training, { ...mode, steps: 5000, executor: "runner" });
    const leases = () => runners.reduce((sum, runner) => sum + taken(runner, long), 0);
    await expect.poll(leases).toBe(2);
    const id = await run(training, { ...mode, executor: "runner" });
    const { job, sha256 } = await outcome(training, id);
    expect(job.attempts).toBe(1);
    expect(sha256).toBe(await bytesOf(mode));
    // The other one gave way, and goes on.
    expect((await training.call(`/v1/jobs/${long}`)).json).toMatchObject({
      state: "running",
      attempts: 1,
    });
    await expect.poll(leases).toBeGreaterThan(2);
    await training.call(`/v1/jobs/${long}/cancel`, { method: "POST" });
  },
);

it("two ranks share the one runner that is there, to the same bytes", async () => {
  const training = await newTraining();
  const runner = await FakeRunner.join(training, "only");
  const id = await run(training, { executor: "runner" });
  const { job, sha256 } = await outcome(training, id);
  expect(job.attempts).toBe(1);
  expect(sha256).toBe(await bytesOf({}));
  expect(taken(runner, id)).toBeGreaterThan(OPTIONS.steps);
});

it("local_sgd begins with one runner for two ranks, and a second one takes its part when it comes", async () => {
  const mode = { mode: "local_sgd", local_steps: 3, steps: 60 };
  const training = await newTraining();
  const first = await FakeRunner.join(training, "first");
  const id = await run(training, { ...mode, executor: "runner" });
  await expect.poll(() => first.answers).toBeGreaterThan(3);
  const second = await FakeRunner.join(training, "second");
  const { job, sha256 } = await outcome(training, id);
  expect(job.attempts).toBe(1);
  expect(sha256).toBe(await bytesOf(mode));
  expect(second.answers).toBeGreaterThan(10);
});

it("async ends with as many steps, whoever comes and goes", async () => {
  const mode = { mode: "async", max_staleness: 4, steps: 60 };
  const training = await newTraining();
  const first = await FakeRunner.join(training, "first");
  const id = await run(training, { ...mode, executor: "runner" });
  await expect.poll(() => first.answers).toBeGreaterThan(3);
  const second = await FakeRunner.join(training, "second");
  await expect.poll(() => second.answers).toBeGreaterThan(3);
  first.leave();
  const { job } = await outcome(training, id);
  expect(job).toMatchObject({ attempts: 1, result: { step: 60 } });
  // The centres lie apart: whatever the order of the pushes, the classes are told apart.
  expect(job.result.metrics.validation_loss).toBeLessThan(0.2);
});

it("a measurement has its turn on the runner of a long training", async () => {
  const training = await newTraining();
  const runner = await FakeRunner.join(training, "only");
  const id = await run(training, { executor: "runner", world_size: 1, steps: 2000 });
  await expect.poll(() => runner.answers).toBeGreaterThan(3);
  const order = {
    id: "another",
    kind: "benchmark",
    spec: {},
    needs: {},
    group: "another",
    sources: {},
    targets: {},
  } as const;
  await runnerPool(env, training.id).submit(order);
  await expect.poll(() => runner.tasks.some(({ id: task }) => task === order.id)).toBe(true);
  expect(runner.stopped).toContain("the task was canceled");
  await training.call(`/v1/jobs/${id}/cancel`, { method: "POST" });
});
