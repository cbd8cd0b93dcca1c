/** @file A backup of one service becomes another: the same models by hash, secrets that open, jobs that are over. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exportBackup, importBackup } from "../../src/embedded/backup.ts";
import { linearFile } from "../worker/service/models.ts";
import { hookCaller, signed } from "./hook-caller.ts";
import { newDataDir, newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

const folders: string[] = [];
let before: string;
let backup: string;
let hash: string;
let model: string;
let job: Json;
let hook: Json;
let endpoint: Json;

const newFolder = async () => {
  const folder = await newDataDir();
  folders.push(folder);
  return folder;
};

async function hashOf(service: TestService, id: string): Promise<string> {
  const content = await service.call(`/v1/models/${id}/content`);
  return createHash("sha256")
    .update(Buffer.from(await content.arrayBuffer()))
    .digest("hex");
}

beforeAll(async () => {
  before = await newFolder();
  backup = join(await newFolder(), "backup");
  const service = await newService({ dataDir: before, allowLoopback: true });
  const { post } = hookCaller(service);
  // More than one part, and a name that SQL has to quote.
  const big = await linearFile(1100, 2000);
  const name = new URLSearchParams({ name: "it's; a --model.onnx" }).toString();
  const made = await service.call(`/v1/models?${name}`, { method: "POST", body: big });
  model = ((await made.json()) as Json).id;
  const ordered = await post(`/v1/models/${model}/prune`, { amount: 0.5 });
  const wait = { headers: { Accept: "text/event-stream" } };
  await (await service.call(`/v1/jobs/${ordered.id}/events`, wait)).text();
  job = await (await service.call(`/v1/jobs/${ordered.id}`)).json();
  expect(job.state).toBe("succeeded");
  hash = await hashOf(service, model);
  hook = await post("/v1/hooks", {
    source: "standard",
    model: { url: "{url}" },
    steps: [{ op: "prune", amount: 0.5 }],
  });
  endpoint = await post("/v1/webhook-endpoints", { url: "http://127.0.0.1:9/", events: ["*"] });
  const bucket = await service.bindings.getR2Bucket("EXCHANGE", "hone");
  await bucket.put("ws_local/../odd name", "text", { customMetadata: { "hone-job": "job_1" } });
  await expect(exportBackup(before, backup)).rejects.toThrow(/in use by process/);
  await service.stop();
});
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

it("what was exported by the command and imported into a new folder serves the same", async () => {
  const script = join(import.meta.dirname, "../../scripts/backup.ts");
  const run = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [script, ...args])).stdout;
  expect(await run("export", backup, "--data", before)).toMatch(/^exported .* objects/);
  expect((await readdir(backup)).sort()).toEqual([
    "api-key",
    "catalogue.sql",
    "objects",
    "objects.jsonl",
    "signing-secret",
  ]);
  const after = await newFolder();
  expect(await run("import", backup, "--data", after)).toMatch(/^imported /);

  const service = await newService({ dataDir: after, allowLoopback: true });
  const { get, post, send } = hookCaller(service);
  expect((await get(`/v1/models/${model}`)).name).toBe("it's; a --model.onnx");
  expect(await hashOf(service, model)).toBe(hash);
  expect(await hashOf(service, job.result.model_id)).toMatch(/^[0-9a-f]{64}$/);
  // Of the job its end is left, and nobody can cancel it.
  expect(await get(`/v1/jobs/${job.id}`)).toEqual(job);
  expect(await (await service.call(`/v1/jobs/${job.id}/events`)).text()).toBe("");
  expect((await post(`/v1/jobs/${job.id}/cancel`, {})).code).toBe("job_already_finished");
  // The hook's secret is sealed by the signing secret.
  const body = JSON.stringify({ url: `http://127.0.0.1:9/model.onnx` });
  expect((await send(hook.id, signed(hook.secret, body), body)).status).toBe(202);
  // An endpoint's is gone with its object: it is given a new one.
  const rotated = await post(`/v1/webhook-endpoints/${endpoint.id}/rotate`, {});
  expect(rotated).toMatchObject({ status: 200, secret: expect.stringMatching(/^whsec_/) });
  await post(`/v1/webhook-endpoints/${endpoint.id}/test`, {});
  const told = await get(`/v1/webhook-endpoints/${endpoint.id}/deliveries`);
  expect(told.data).toMatchObject([{ type: "test", sequence: 1 }]);
  const bucket = await service.bindings.getR2Bucket("EXCHANGE", "hone");
  const odd = await bucket.head("ws_local/../odd name");
  expect(odd?.customMetadata).toEqual({ "hone-job": "job_1" });
  await service.end();
});

it("a damaged object is named, and nothing overwrites a catalogue", async () => {
  const after = await newFolder();
  const objects = join(backup, "objects");
  await appendFile(join(objects, hash), "x");
  await expect(importBackup(backup, after)).rejects.toThrow(`${hash} is not the`);
  await expect(importBackup(backup, after)).rejects.toThrow("there is a catalogue already");
});
