import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, it } from "vitest";
import { linearFile } from "./models.ts";
import { env, newWorkspace, open, type Workspace } from "./service.ts";

async function storedModel({ call }: Workspace, seed = 1): Promise<string> {
  const { json } = await call("/v1/models?name=linear.onnx", {
    body: await linearFile(128, 128, seed),
  });
  return json.id;
}

const stubOf = (job: string) => env.JOBS.get(env.JOBS.idFromName(job));

it("a job makes a model, followed by its id", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  const made = await call(`/v1/models/${model}/quantize`, { json: { method: "weight_only" } });
  expect(made.status).toBe(202);
  expect(made.headers.get("Location")).toBe(`/v1/jobs/${made.json.id}`);
  expect(made.json).toMatchObject({
    object: "job",
    operation: "quantize",
    model_id: model,
    options: { method: "weight_only" },
    result: null,
    error: null,
  });
  await runDurableObjectAlarm(stubOf(made.json.id));
  await expect
    .poll(async () => (await call(`/v1/jobs/${made.json.id}`)).json.state)
    .toBe("succeeded");
  const { json } = await call(`/v1/jobs/${made.json.id}`);
  expect(json).toMatchObject({
    attempts: 1,
    progress: { fraction: 1 },
    result: { report: { changed: 1 } },
  });
  const result = await call(`/v1/models/${json.result.model_id}`);
  expect(result.json).toMatchObject({ name: "linear.int8.onnx", job_id: json.id });
  expect((await call(`/v1/reports/${json.result.report_id}`)).json.bytes_after).toBe(
    result.json.bytes,
  );
  const oneShot = await call("/v1/quantize?method=weight_only", {
    body: await linearFile(128, 128),
  });
  // What follows is how it was made.
  const { bytes } = await call(`/v1/models/${json.result.model_id}/content`);
  expect(bytes.slice(0, oneShot.bytes.length)).toEqual(oneShot.bytes);
  expect(new TextDecoder().decode(bytes.slice(oneShot.bytes.length))).toContain("hone.lineage");
});

it("Prefer: wait answers 200 when the job is over in time, 202 when not", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const path = `/v1/models/${await storedModel(workspace)}/prune`;
  const waited = await call(path, {
    json: { amount: 0.25 },
    headers: { Prefer: "respond-async, wait=30" },
  });
  expect([waited.status, waited.json.state]).toEqual([200, "succeeded"]);
  expect(waited.headers.get("Preference-Applied")).toBe("wait=30");
  const brief = await call(path, { json: {}, headers: { Prefer: "wait=0" } });
  expect([200, 202]).toContain(brief.status);
  const odd = await call(path, { json: {}, headers: { Prefer: "wait=soon" } });
  expect(odd.json).toMatchObject({ status: 400, errors: [{ path: "headers.prefer" }] });
});

it("a job that cannot succeed fails with its problem", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  const { json } = await call(`/v1/models/${model}/quantize`, {
    json: { method: "weight_only", min_sqnr_db: 90 },
    headers: { Prefer: "wait" },
  });
  expect(json).toMatchObject({
    state: "failed",
    attempts: 1,
    result: null,
    error: { code: "not_close_enough", status: 422, report: { object: "report" } },
  });
});

it("options, models and bodies are checked before a job is made", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  const unknown = await call(`/v1/models/${model}/quantize`, { json: { methd: "dynamic" } });
  expect(unknown.json).toMatchObject({ status: 400, code: "unknown_option" });
  const wrong = await call(`/v1/models/${model}/quantize`, {
    json: { method: "dynamic", per_channel: "yes" },
  });
  expect(wrong.json).toMatchObject({ status: 400, code: "invalid_request" });
  const broken = await call(`/v1/models/${model}/quantize`, { method: "POST", body: "{" });
  expect(broken.json).toMatchObject({ status: 400, code: "invalid_json" });
  const list = await call(`/v1/models/${model}/quantize`, { json: [] });
  expect(list.status).toBe(400);
  const nowhere = await call("/v1/models/model_none/prune", { json: {} });
  expect(nowhere.json).toMatchObject({ status: 404, code: "not_found" });
  expect((await call("/v1/jobs")).json.data).toEqual([]);
});

it("events tell the whole story and end", async () => {
  const workspace = await newWorkspace();
  const { call, key } = workspace;
  const model = await storedModel(workspace);
  const { json } = await call(`/v1/models/${model}/prune`, { json: {} });
  const response = await open(`/v1/jobs/${json.id}/events`, {
    headers: { Authorization: `Bearer ${key}` },
  });
  expect(response.headers.get("Content-Type")).toBe("text/event-stream");
  const text = await response.text();
  const states = [...text.matchAll(/^data: (.*)$/gm)]
    .map(([, data]) => JSON.parse(data ?? "").state)
    .filter((state) => state !== undefined);
  expect(states).toEqual(["queued", "running", "succeeded"]);
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(ids.map((_, index) => index + 1));
  const resumed = await call(`/v1/jobs/${json.id}/events`, {
    headers: { "Last-Event-ID": String(ids.length - 1) },
  });
  expect([...resumed.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual([
    ids.length,
  ]);
  const odd = await call(`/v1/jobs/${json.id}/events`, { headers: { "Last-Event-ID": "x" } });
  expect(odd.status).toBe(400);
  expect((await call("/v1/jobs/job_none/events")).status).toBe(404);
});

it("a finished job cannot be canceled, a canceled one stays so", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  const done = await call(`/v1/models/${model}/prune`, { json: {}, headers: { Prefer: "wait" } });
  const late = await call(`/v1/jobs/${done.json.id}/cancel`, { method: "POST" });
  expect(late.json).toMatchObject({ status: 409, code: "job_already_finished" });
  expect((await call("/v1/jobs/job_none/cancel", { method: "POST" })).status).toBe(404);
});

it("lists are filtered", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  await call(`/v1/models/${model}/prune`, { json: {}, headers: { Prefer: "wait" } });
  await call(`/v1/models/${model}/quantize`, { json: { method: "none" } });
  await call(`/v1/models/${model}/quantize`, {
    json: { min_sqnr_db: 200 },
    headers: { Prefer: "wait" },
  });
  const ids = async (query: string) =>
    (await call(`/v1/jobs${query}`)).json.data.map(
      ({ operation, state }: Record<string, string>) => `${operation} ${state}`,
    );
  expect((await ids("")).toSorted()).toEqual(["prune succeeded", "quantize failed"]);
  expect(await ids("?state=failed")).toEqual(["quantize failed"]);
  expect(await ids("?operation=prune")).toEqual(["prune succeeded"]);
  expect(await ids("?model_id=model_none")).toEqual([]);
  expect((await call("/v1/jobs?state=done")).status).toBe(400);
});

it("a model that a job is using stays", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const model = await storedModel(workspace);
  const { json } = await call(`/v1/models/${model}/prune`, {
    json: {},
    headers: { Prefer: "wait" },
  });
  await env.DB.prepare("UPDATE jobs SET state = 'running' WHERE id = ?").bind(json.id).run();
  const refused = await call(`/v1/models/${model}`, { method: "DELETE" });
  expect(refused.json).toMatchObject({ status: 409, code: "model_in_use" });
  await env.DB.prepare("UPDATE jobs SET state = 'succeeded' WHERE id = ?").bind(json.id).run();
  expect((await call(`/v1/models/${model}`, { method: "DELETE" })).status).toBe(204);
  expect((await call(`/v1/jobs/${json.id}`)).json.state).toBe("succeeded");
});
