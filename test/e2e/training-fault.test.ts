/** @file A training in a process of its own, killed in mid-work: the next start goes on, to the same bytes. */
import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { Hone } from "../../sdk/typescript/src/index.ts";
import { serve } from "./process.ts";
import { newDataDir } from "./service.ts";

const OPTIONS = {
  world_size: 3,
  batch_size: 10,
  steps: 120,
  checkpoint_every: 10,
  optimizer: { type: "adam", lr: 0.003 },
} as const;

async function start(hone: Hone, model: string, dataset: string): Promise<string> {
  return (await hone.trainingJobs.create({ ...OPTIONS, model, dataset })).id;
}

async function result(hone: Hone, id: string) {
  const job = await hone.jobs.wait(id);
  if (job.operation !== "train" || !job.result) throw new Error(`${id} has no result`);
  const { sha256 } = await hone.models.get(job.result.model_id);
  return { sha256, curve: await hone.trainingJobs.curve(id, 1000), attempts: job.attempts };
}

it("a training whose process is killed goes on after the next start, to the same bytes", async () => {
  const dataDir = await newDataDir();
  const first = await serve(dataDir);
  const before = new Hone({ baseUrl: first.url, apiKey: first.apiKey });
  const { id: model } = await before.models.create(await digitModelFile());
  const { id: dataset } = await before.datasets.create(digitsNpz({ perDigit: 60 }));
  const killed = await start(before, model, dataset);
  const checkpoint = async () => {
    const job = await before.jobs.get(killed);
    return job.operation === "train" ? job.checkpoint_step : null;
  };
  await expect.poll(checkpoint, { interval: 20 }).not.toBeNull();
  await first.kill();
  const second = await serve(dataDir);
  const after = new Hone({ baseUrl: second.url, apiKey: second.apiKey });
  const resumed = await result(after, killed);
  expect(resumed.attempts).toBeGreaterThan(1);
  const straight = await result(after, await start(after, model, dataset));
  expect(resumed.sha256).toBe(straight.sha256);
  expect(resumed.curve).toEqual(straight.curve);
  await second.kill();
  await rm(dataDir, { recursive: true });
});
