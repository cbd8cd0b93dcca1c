/** @file Runners that come and go while a training runs on them: real processes, ended by SIGTERM and SIGKILL. */
import { loadavg } from "node:os";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Json, newTrainingHost, stop, type TrainingHost, until } from "./training-host.ts";

const STEPS = 80;
/** Steps, of all ranks, over which the pace is measured. */
const SPAN = 10;
const OPTIONS = { steps: STEPS, batch_size: 32, world_size: 2, executor: "runner" };

let host: TrainingHost;

beforeAll(async () => {
  host = await newTrainingHost();
});
afterAll(async () => await host.end());

/** Steps that all ranks have done together. */
async function done(id: string): Promise<number> {
  const { progress, state } = await host.get(`/v1/jobs/${id}`);
  if (state === "succeeded") return Infinity;
  return progress.ranks.reduce((sum: number, { step }: Json) => sum + step, 0);
}

/** Steps a second of all ranks, over the next `SPAN`. */
async function pace(id: string): Promise<number> {
  const first = await done(id);
  const start = performance.now();
  let now = first;
  await until(async () => (now = await done(id)) >= first + SPAN);
  expect(now).toBeLessThan(2 * STEPS);
  return Math.round(((now - first) * 10_000) / (performance.now() - start)) / 10;
}

/**
 * One runner, then two, then one of them killed and another in its place, which then has the end for itself.
 * @returns the job, once it is over
 */
async function disturbed(mode: Record<string, unknown>): Promise<Json> {
  const first = await host.start("first", "cpu");
  // Ready to come at once: steps do not wait for a process to start.
  const second = await host.hold("second", "cpu");
  const third = await host.hold("third", "cpu");
  const id = await host.train({ ...OPTIONS, ...mode });
  await until(async () => (await done(id)) > 0);
  const one = await pace(id);
  await second.join();
  const two = await pace(id);
  first.kill("SIGKILL");
  await third.join();
  const afterKill = await pace(id);
  await stop(second.child);
  const job = await host.over(id);
  const [load] = loadavg();
  console.log(JSON.stringify({ mode, stepsPerSecond: { one, two, afterKill }, load }));
  await stop(third.child);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  expect(job.result.step).toBe(STEPS);
  return job;
}

/** Every step of every rank was told of once. */
async function expectAllSteps(id: string, ranks: number): Promise<void> {
  const steps = (await host.curve(id)).map(({ step }) => step);
  expect(new Set(steps)).toEqual(new Set(Array.from({ length: STEPS }, (_, i) => i + 1)));
  expect(steps.length).toBeLessThanOrEqual(ranks * STEPS);
}

it("local_sgd on runners that come and go ends in the bytes of one that nobody disturbed", async () => {
  const mode = { mode: "local_sgd", local_steps: 10 };
  const sha256 = async ({ result }: Json): Promise<string> =>
    (await host.get(`/v1/models/${result.model_id}`)).sha256;
  const calm = [await host.start("a", "cpu"), await host.start("b", "cpu")];
  const undisturbed = await host.over(await host.train({ ...OPTIONS, ...mode }));
  expect(undisturbed).toMatchObject({ error: null, state: "succeeded" });
  for (const child of calm) await stop(child);
  const job = await disturbed(mode);
  expect(await sha256(job)).toBe(await sha256(undisturbed));
  await expectAllSteps(job.id, 2);
});

it("async on runners that come and go does every step, and learns", async () => {
  const job = await disturbed({ mode: "async", max_staleness: 4 });
  await expectAllSteps(job.id, 2);
  // Ten classes begin at ln 10 = 2.3; gradients that are up to 4 steps late move less.
  const { validation_loss } = job.result.metrics;
  console.log(JSON.stringify({ validation_loss }));
  expect(validation_loss).toBeLessThan(1.5);
});
