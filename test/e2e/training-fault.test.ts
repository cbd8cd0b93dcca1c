/** @file A training in a process of its own, killed in mid-work: the next start goes on, to the same bytes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { Hone } from "../../sdk/typescript/src/index.ts";
import { newDataDir } from "./service.ts";

const OPTIONS = {
  world_size: 3,
  batch_size: 10,
  steps: 60,
  checkpoint_every: 10,
  optimizer: { type: "adam", lr: 0.003 },
} as const;

async function serve(dataDir: string): Promise<{ host: ChildProcess; hone: Hone }> {
  const host = spawn(process.execPath, [join(import.meta.dirname, "serve.ts"), dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void host.kill("SIGKILL"));
  if (!host.stdout) throw new Error("no stdout");
  const [line] = await once(createInterface(host.stdout), "line");
  const { url, apiKey } = JSON.parse(line);
  return { host, hone: new Hone({ baseUrl: url, apiKey }) };
}

async function kill(host: ChildProcess): Promise<void> {
  host.kill("SIGKILL");
  await once(host, "exit");
}

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
  const { id: model } = await first.hone.models.create(await digitModelFile());
  const { id: dataset } = await first.hone.datasets.create(digitsNpz({ perDigit: 60 }));
  const killed = await start(first.hone, model, dataset);
  const checkpoint = async () => {
    const job = await first.hone.jobs.get(killed);
    return job.operation === "train" ? job.checkpoint_step : null;
  };
  await expect.poll(checkpoint, { timeout: 60_000, interval: 20 }).not.toBeNull();
  await kill(first.host);
  const second = await serve(dataDir);
  const resumed = await result(second.hone, killed);
  expect(resumed.attempts).toBeGreaterThan(1);
  const straight = await result(second.hone, await start(second.hone, model, dataset));
  expect(resumed.sha256).toBe(straight.sha256);
  expect(resumed.curve).toEqual(straight.curve);
  await kill(second.host);
  await rm(dataDir, { recursive: true });
});
