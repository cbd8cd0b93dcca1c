/** @file A recipe or a search whose process is killed between or within its steps ends in the same bytes after the next start. */
import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { linearFile } from "../worker/service/models.ts";
import { serve } from "./process.ts";
import { newDataDir, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

type Call = TestService["call"];

const get = async (call: Call, path: string): Promise<Json> => await (await call(path)).json();

const STEPS = [
  { op: "prune", amount: 0.5 },
  { op: "prune", amount: 0.7 },
  { op: "quantize", method: "weight_only" },
  { op: "verify" },
];

async function order(call: Call, body: Uint8Array<ArrayBuffer>, what: object): Promise<Json> {
  const model = (await (await call("/v1/models", { method: "POST", body })).json()) as Json;
  const answer = await call(`/v1/models/${model.id}/optimize`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(what),
  });
  expect(answer.status).toBe(202);
  return await answer.json();
}

/** Reads events until one has the text. */
async function untilTold(call: Call, id: string, text: string): Promise<void> {
  const { body } = await call(`/v1/jobs/${id}/events`);
  if (!body) throw new Error("no events");
  let told = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    told += chunk;
    if (told.includes(text)) return;
  }
  throw new Error(`the job was over before "${text}" was told`);
}

async function end(call: Call, id: string): Promise<Json> {
  await expect
    .poll(async () => (await get(call, `/v1/jobs/${id}`)).state, {
      interval: 100,
    })
    .toMatch(/succeeded|failed/);
  return await get(call, `/v1/jobs/${id}`);
}

it("killed in a step and between steps, a recipe ends as one that was left alone", async () => {
  const dataDir = await newDataDir();
  const body = await linearFile(1000, 1000);
  const first = await serve(dataDir);
  const { id } = await order(first.call, body, { steps: STEPS });
  await untilTold(first.call, id, "prune: waiting");
  await first.kill();
  const second = await serve(dataDir);
  await untilTold(second.call, id, "prune: done");
  await second.kill();
  const third = await serve(dataDir);
  const job = await end(third.call, id);
  expect(job).toMatchObject({ state: "succeeded", error: null });
  expect(job.result.steps.map(({ cached }: Json) => cached)).toEqual([false, false, false, false]);
  const jobs = (await get(third.call, "/v1/jobs?limit=100")).data;
  expect(jobs.length).toBe(1 + STEPS.length);
  await third.kill();
  await rm(dataDir, { recursive: true, force: true });
  // Where nothing is cached.
  const aloneDir = await newDataDir();
  const alone = await serve(aloneDir);
  const straight = await order(alone.call, body, { steps: STEPS });
  const other = await end(alone.call, straight.id);
  expect(other.result.steps.map(({ sha256 }: Json) => sha256)).toEqual(
    job.result.steps.map(({ sha256 }: Json) => sha256),
  );
  await alone.kill();
  await rm(aloneDir, { recursive: true, force: true });
});

it("killed between candidates and within one, a search finds what one finds that was left alone", async () => {
  const dataDir = await newDataDir();
  const body = await digitModelFile();
  const first = await serve(dataDir);
  const data = { method: "POST", body: digitsNpz({ perDigit: 10 }) };
  const { id: dataset } = (await (await first.call("/v1/datasets", data)).json()) as Json;
  const metric = "cross_entropy";
  const goal = { metric, dataset, max_drop: 0.001, max_evaluations: 9, executor: "edge" };
  const { id } = await order(first.call, body, { goal });
  await untilTold(first.call, id, "block_size=32: evaluate: done");
  await first.kill();
  const second = await serve(dataDir);
  await untilTold(second.call, id, "weight_only: quantize: waiting");
  await second.kill();
  const third = await serve(dataDir);
  const job = await end(third.call, id);
  expect(job).toMatchObject({ state: "succeeded", error: null });
  const { search } = job.result;
  const jobs = (await get(third.call, "/v1/jobs?limit=100")).data;
  const steps = search.trials.flatMap(({ job_id, evaluation_job_id }: Json) =>
    [job_id, evaluation_job_id].filter(Boolean),
  );
  expect(jobs.length).toBe(1 + new Set(steps).size);
  // All rows, asked for in other words: nothing is there already.
  const straight = await order(third.call, body, { goal: { ...goal, limit: 100 } });
  const other = await end(third.call, straight.id);
  const figures = ({ result }: Json) => ({
    best: result.search.best,
    sha256: result.steps[0].sha256,
    trials: result.search.trials.map(({ method, excluded_nodes, bytes, metric: found }: Json) => [
      method,
      excluded_nodes,
      bytes,
      found,
    ]),
  });
  expect(figures(other)).toEqual(figures(job));
  expect(search.trials.length).toBeGreaterThan(4);
  await third.kill();
  await rm(dataDir, { recursive: true, force: true });
});
