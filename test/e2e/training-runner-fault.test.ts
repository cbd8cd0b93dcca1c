/** @file Trainings on real runners: the native build and a WebGPU device, together with the edge, and killed in their work. */
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  hasDriver,
  type Json,
  newTrainingHost,
  stop,
  type TrainingHost,
  until,
} from "./training-host.ts";

const OPTIONS = { steps: 10, batch_size: 16 };
const LONG = 150;

let host: TrainingHost;
let onEdge: Json;

beforeAll(async () => {
  host = await newTrainingHost();
  onEdge = await host.over(await host.train({ ...OPTIONS, executor: "edge" }));
  expect(onEdge).toMatchObject({ error: null, state: "succeeded" });
});
afterAll(async () => await host.end());

/** As many steps as on the edge, each told once, and nearly the same loss in each. */
async function expectLikeEdge(job: Json, tolerance: number): Promise<void> {
  const { steps } = OPTIONS;
  expect(job).toMatchObject({ error: null, state: "succeeded", result: { step: steps } });
  const [there, here] = [await host.curve(job.id), await host.curve(onEdge.id)];
  expect(there.map(({ step }) => step)).toEqual(here.map(({ step }) => step));
  there.forEach(({ loss }, i) =>
    expect(Math.abs(loss - (here[i]?.loss ?? NaN))).toBeLessThan(tolerance),
  );
  const { metrics } = onEdge.result;
  expect(Math.abs(job.result.metrics.validation_loss - metrics.validation_loss)).toBeLessThan(
    tolerance,
  );
}

it("a native runner trains to the edge's loss, in 16 bits nearly so and the same each time", async () => {
  const child = await host.start("host", "cpu");
  const job = await host.over(await host.train({ ...OPTIONS, executor: "runner" }));
  await expectLikeEdge(job, 1e-4);
  expect(job.attempts).toBe(1);
  const { id } = await host.runner("host");
  expect(job.progress.ranks[0].executor).toBe(id);
  await until(async () => (await host.runner("host")).tasks_done === 1);

  const inHalf = async () => {
    const runners = { compression: "bfloat16" };
    const id = await host.train({ ...OPTIONS, executor: "runner", runners });
    const half = await host.over(id);
    await expectLikeEdge(half, 2e-2);
    const { sha256 } = await host.get(`/v1/models/${half.result.model_id}`);
    return { sha256, curve: await host.curve(id) };
  };
  const [once, again] = [await inHalf(), await inHalf()];
  expect(again).toEqual(once);
  expect(once.curve).not.toEqual(await host.curve(job.id));
  await stop(child);
});

it("a runner that is killed in mid-training loses no step", async () => {
  const child = await host.start("doomed", "cpu");
  const id = await host.train({ ...OPTIONS, executor: "runner", steps: LONG });
  await until(async () => (await host.get(`/v1/jobs/${id}`)).progress.step > 10);
  child.kill("SIGKILL");
  const heir = await host.start("heir", "cpu");
  const job = await host.over(id);
  expect(job).toMatchObject({
    error: null,
    state: "succeeded",
    attempts: 1,
    result: { step: LONG },
  });
  const steps = (await host.curve(id)).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: LONG }, (_, i) => i + 1));
  expect(job.progress.ranks[0].executor).toBe((await host.runner("heir")).id);
  await stop(heir);
});

it("a runner and the edge train together", async () => {
  const child = await host.start("half", "cpu");
  const options = { ...OPTIONS, executor: "auto", world_size: 2, batch_size: 8 };
  const job = await host.over(await host.train(options));
  await expectLikeEdge(job, 0.2);
  const executors = job.progress.ranks.map(({ executor }: Json) => executor);
  expect(executors).toContain("edge");
  expect(executors).toContain((await host.runner("half")).id);
  await stop(child);
});

it.skipIf(!hasDriver)("a WebGPU device trains to the edge's loss", async () => {
  const child = await host.start("gpu", "webgpu");
  const job = await host.over(await host.train({ ...OPTIONS, executor: "runner" }));
  await expectLikeEdge(job, 1e-3);
  expect(job.progress.ranks[0].executor).toBe((await host.runner("gpu")).id);
  await stop(child);
});
