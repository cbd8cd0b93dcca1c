import { expect, it } from "vitest";
import { sweep } from "../../../src/jobs/sweep.ts";
import { closeWorkspace } from "../../../src/store/workspaces.ts";
import { linearFile } from "./models.ts";
import { call, env, failing, newWorkspace, storedObjects } from "./service.ts";

/** How many rows of each table name the workspace. */
async function rowsOf(workspace: string): Promise<Record<string, number>> {
  const { results } = await env.DB.prepare(
    `SELECT m.name, c.name AS column FROM sqlite_master m JOIN pragma_table_info(m.name) c
     WHERE m.type = 'table' AND substr(m.name, 1, 4) <> '_cf_' AND c.type = 'TEXT'`,
  ).all<{ name: string; column: string }>();
  const found: Record<string, number> = {};
  for (const { name, column } of results) {
    const row = await env.DB.prepare(
      `SELECT count(*) AS rows FROM "${name}" WHERE instr("${column}", ?) > 0`,
    )
      .bind(workspace)
      .first<{ rows: number }>();
    if (row?.rows) found[`${name}.${column}`] = row.rows;
  }
  return found;
}

async function filled() {
  const workspace = await newWorkspace();
  const { call: ask } = workspace;
  const model = (await ask("/v1/models", { body: await linearFile(64, 64) })).json.id;
  const job = await ask(`/v1/models/${model}/prune`, { json: {}, headers: { Prefer: "wait" } });
  const upload = (await ask("/v1/uploads", { json: {} })).json.id;
  const part = await ask(`/v1/uploads/${upload}/parts/1`, { method: "PUT", body: "some bytes" });
  expect(part.status).toBe(200);
  const csv = "a,b\n1,2\n3,4\n";
  const headers = { "Content-Type": "text/csv" };
  const dataset = (await ask("/v1/datasets?name=d.csv", { method: "POST", body: csv, headers }))
    .json.id;
  expect(dataset).toBeTypeOf("string");
  const endpoint = await ask("/v1/webhook-endpoints", {
    json: { url: "http://127.0.0.1:9/" },
    env: { ALLOW_LOOPBACK: "1" },
  });
  expect(endpoint.status).toBe(201);
  await ask("/v1/runner-tokens", { json: { name: "r" } });
  await ask("/v1/keys", { json: { name: "k" }, headers: { "Idempotency-Key": "k" } });
  return { ...workspace, model, job: job.json.id, report: job.json.result.report_id };
}

it("the workspace tells its id, name and bytes", async () => {
  const { id, call: ask } = await newWorkspace();
  const file = await linearFile();
  await ask("/v1/models", { body: file });
  const { status, json } = await ask("/v1/workspace");
  expect(status).toBe(200);
  expect(json).toMatchObject({
    id,
    object: "workspace",
    name: "test",
    stored_bytes: file.length,
    max_stored_bytes: null,
  });
  const bounded = await ask("/v1/workspace", { env: { MAX_STORED_BYTES: "1000" } });
  expect(bounded.json.max_stored_bytes).toBe(1000);
});

it("a workspace is deleted with everything in it, and nothing of others", async () => {
  const other = await newWorkspace();
  const kept = (await other.call("/v1/models", { body: await linearFile(64, 64) })).json.id;
  const doomed = await filled();
  const { id, call: ask } = doomed;
  expect((await storedObjects(id)).length).toBeGreaterThan(1);
  expect(Object.keys(await rowsOf(id)).length).toBeGreaterThan(10);
  const answer = await ask("/v1/workspace", { method: "DELETE", json: { confirm: id } });
  expect(answer.status).toBe(204);
  expect(await rowsOf(id)).toEqual({});
  for (const prefix of ["blobs", "reports", "training"]) {
    const { objects } = await env.BLOBS.list({ prefix: `${prefix}/${id}/` });
    expect(objects.map(({ key }) => key)).toEqual([]);
  }
  for (const path of ["/v1/workspace", `/v1/models/${doomed.model}`, `/v1/jobs/${doomed.job}`])
    expect([path, (await ask(path)).status]).toEqual([path, 401]);
  expect((await other.call(`/v1/models/${kept}/content`)).status).toBe(200);
  expect((await other.call(`/v1/models/${doomed.model}`)).status).toBe(404);
});

it("the job's object is empty afterwards", async () => {
  const { id, job, call: ask } = await filled();
  const stub = () => env.JOBS.get(env.JOBS.idFromName(job));
  expect(await stub().read()).toMatchObject({ id: job });
  await ask("/v1/workspace", { method: "DELETE", json: { confirm: id } });
  await expect.poll(async () => await stub().read()).toBeUndefined();
});

it("a job that is running is cut off", async () => {
  const { id, call: ask } = await newWorkspace();
  const model = (await ask("/v1/models", { body: await linearFile(512, 512) })).json.id;
  const job = await ask(`/v1/models/${model}/quantize`, { json: {} });
  expect(job.status).toBe(202);
  const gone = await ask("/v1/workspace", { method: "DELETE", json: { confirm: id } });
  expect(gone.status).toBe(204);
  await scheduler.wait(300);
  expect(await rowsOf(id)).toEqual({});
});

it("nothing is deleted without the id, by another scope, or by another's key", async () => {
  const { id, call: ask } = await newWorkspace();
  const other = await newWorkspace();
  for (const json of [{}, { confirm: "" }, { confirm: other.id }, { confirm: id, force: true }]) {
    const answer = await ask("/v1/workspace", { method: "DELETE", json });
    expect([json, answer.status]).toEqual([json, 400]);
  }
  const key = (await ask("/v1/keys", { json: { name: "w", scopes: ["read", "write"] } })).json;
  const refused = await call("/v1/workspace", {
    method: "DELETE",
    json: { confirm: id },
    headers: { Authorization: `Bearer ${key.secret}` },
  });
  expect(refused.status).toBe(403);
  expect((await ask("/v1/workspace")).status).toBe(200);
});

it("a deletion that was cut off is a 202, opens nothing, and the sweep ends it", async () => {
  const { id, key, call: ask } = await filled();
  const BLOBS = failing(env.BLOBS, "list", "down");
  const answer = await ask("/v1/workspace", {
    method: "DELETE",
    json: { confirm: id },
    env: { BLOBS },
  });
  expect(answer.status).toBe(202);
  const headers = { Authorization: `Bearer ${key}` };
  expect((await call("/v1/models", { headers })).status).toBe(401);
  expect(Object.keys(await rowsOf(id)).length).toBeGreaterThan(5);
  // Objects that are just going away are met by the next sweep.
  const swept = async () => {
    await sweep(env);
    return await rowsOf(id);
  };
  await expect.poll(swept).toEqual({});
  expect(await storedObjects(id)).toEqual([]);
});

it("what is gone is not deleted twice", async () => {
  const { id, call: ask } = await newWorkspace();
  await closeWorkspace(env.DB, id);
  expect((await ask("/v1/workspace", { method: "DELETE", json: { confirm: id } })).status).toBe(
    401,
  );
});

it("at the bound of its bytes a workspace takes no more, but reads and deletes", async () => {
  const { call: ask } = await newWorkspace();
  const file = await linearFile();
  const bound = { MAX_STORED_BYTES: String(file.length + 10) };
  const { json: model } = await ask("/v1/models", { body: file, env: bound });
  const headers = { "Content-Length": String(file.length) };
  const more = await ask("/v1/models", { body: file, headers, env: bound });
  expect(more.json).toMatchObject({ status: 413, code: "quota_exceeded" });
  for (const path of ["/v1/uploads", "/v1/datasets"]) {
    const answer = await ask(path, {
      json: { name: "more than ten bytes" },
      env: { MAX_STORED_BYTES: "1" },
    });
    expect([path, answer.json.code]).toEqual([path, "quota_exceeded"]);
  }
  expect((await ask(`/v1/models/${model.id}/content`, { env: bound })).status).toBe(200);
  expect((await ask(`/v1/models/${model.id}`, { method: "DELETE", env: bound })).status).toBe(204);
  expect((await ask("/v1/models", { body: file, headers, env: bound })).status).toBe(201);
});
