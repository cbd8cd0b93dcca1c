import { afterEach, expect, it, vi } from "vitest";
import { sweep } from "../../../src/jobs/sweep.ts";
import { linearFile } from "./models.ts";
import { call, env, failing, newWorkspace } from "./service.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function logged(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => lines.push(JSON.parse(line)));
  return lines;
}

it("the log has one line of JSON for each request, without what the client wrote", async () => {
  const { id, key, call: ask } = await newWorkspace();
  const lines = logged();
  const on = { LOG_REQUESTS: "1" };
  await ask("/v1/models/model_secretive?token=hush", { env: on });
  await call("/v1/models", { headers: { Authorization: "Bearer hone_wrong" }, env: on });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({
    method: "GET",
    route: "/v1/models/:id",
    status: 404,
    workspace: id,
  });
  expect(lines[0]?.["key"]).toMatch(/^key_/);
  expect(lines[0]?.["request_id"]).toMatch(/^req_/);
  expect(lines[0]?.["ms"]).toBeTypeOf("number");
  expect(lines[1]).toMatchObject({ status: 401 });
  expect(lines[1]?.["workspace"]).toBeUndefined();
  for (const secret of ["secretive", "hush", "hone_wrong", key])
    expect(JSON.stringify(lines)).not.toContain(secret);
});

it("changes are in the audit log with who, what and outcome; reads are not", async () => {
  const { call: ask } = await newWorkspace();
  const headers = { "X-Request-Id": "of-this-test-1" };
  const made = await ask("/v1/keys", { json: { name: "x", scopes: ["read"] }, headers });
  await ask("/v1/keys");
  await ask("/v1/models/model_none", { method: "DELETE" });
  const reader = { headers: { Authorization: `Bearer ${made.json.secret}` } };
  await call("/v1/uploads", { json: {}, ...reader });
  const { json } = await ask("/v1/audit-log");
  expect(json.data).toHaveLength(3);
  const [refused, missing, done] = json.data;
  expect(done).toMatchObject({
    object: "audit_entry",
    action: "POST /v1/keys",
    resource: `/v1/keys/${made.json.id}`,
    outcome: "done",
    status: 201,
    request_id: "of-this-test-1",
  });
  expect(missing).toMatchObject({
    action: "DELETE /v1/models/:id",
    resource: "/v1/models/model_none",
    outcome: "refused",
    status: 404,
  });
  expect(refused).toMatchObject({ key_id: made.json.id, outcome: "refused", status: 403 });
  expect(JSON.stringify(json)).not.toContain(made.json.secret);
});

it("the audit log comes in pages, by key where asked, and of one's own workspace only", async () => {
  const one = await newWorkspace();
  const other = await newWorkspace();
  for (let i = 0; i < 3; i++) await one.call("/v1/keys", { json: { name: `k${i}` } });
  const first = await one.call("/v1/audit-log?limit=2");
  expect([first.json.data.length, first.json.has_more]).toEqual([2, true]);
  const second = await one.call(`/v1/audit-log?limit=2&cursor=${first.json.next_cursor}`);
  expect([second.json.data.length, second.json.has_more]).toEqual([1, false]);
  const [{ key_id: key }] = second.json.data;
  expect((await one.call(`/v1/audit-log?key_id=${key}`)).json.data).toHaveLength(3);
  expect((await one.call("/v1/audit-log?key_id=key_none")).json.data).toEqual([]);
  expect((await other.call("/v1/audit-log")).json.data).toEqual([]);
  expect((await one.call("/v1/audit-log?cursor=x")).json.code).toBe("invalid_cursor");
});

it("entries older than 90 days are swept", async () => {
  const { id, call: ask } = await newWorkspace();
  await ask("/v1/keys", { json: { name: "old" } });
  await ask("/v1/keys", { json: { name: "new" } });
  await env.DB.prepare(
    `UPDATE audit_log SET created_at = ? WHERE id = (SELECT max(id) FROM audit_log WHERE workspace_id = ?)`,
  )
    .bind(Date.now() - 91 * 86_400_000, id)
    .run();
  await sweep(env);
  expect((await ask("/v1/audit-log")).json.data).toHaveLength(1);
});

it("a change that was made is answered so, even when the audit log cannot be written", async () => {
  const { call: ask } = await newWorkspace();
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const DB = new Proxy(env.DB, {
    get(target, name) {
      if (name !== "prepare") return Reflect.get(target, name).bind(target);
      return (sql: string) => {
        if (sql.includes("audit_log")) throw new Error("down");
        return target.prepare(sql);
      };
    },
  });
  expect((await ask("/v1/keys", { json: { name: "x" }, env: { DB } })).status).toBe(201);
  expect(String(errors.mock.calls[0]?.[0])).toContain("POST /v1/keys");
});

it("usage counts requests, bytes and jobs by day", async () => {
  const { call: ask } = await newWorkspace();
  const file = await linearFile(64, 64);
  const { json: model } = await ask("/v1/models", { body: file });
  await ask(`/v1/models/${model.id}/content`);
  await ask(`/v1/models/${model.id}/prune`, { json: {}, headers: { Prefer: "wait" } });
  const { status, json } = await ask("/v1/usage");
  expect(status).toBe(200);
  const [today] = json.data;
  expect(today).toMatchObject({ day: new Date().toISOString().slice(0, 10), jobs: 1 });
  expect(today.requests).toBeGreaterThanOrEqual(3);
  expect(today.bytes_in).toBeGreaterThanOrEqual(file.length);
  expect(today.bytes_out).toBeGreaterThanOrEqual(file.length);
  expect(today.job_seconds).toBeGreaterThanOrEqual(0);
});

it("usage refuses what is no day or too many", async () => {
  const { call: ask } = await newWorkspace();
  for (const query of ["from=yesterday", "from=2026-02-01&to=2026-01-01", "from=2020-01-01"]) {
    const answer = await ask(`/v1/usage?${query}`);
    expect([query, answer.json.code]).toEqual([query, "invalid_request"]);
  }
  expect((await ask("/v1/usage?from=2025-01-01&to=2025-01-02")).json.data).toEqual([]);
});

it("metrics tell an admin key of its own workspace, and the operator's token of everything", async () => {
  const { call: ask } = await newWorkspace();
  await ask("/v1/models", { body: await linearFile() });
  const own = await ask("/metrics");
  expect(own.status).toBe(200);
  expect(own.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(own.text).toContain("\nhone_models 1\n");
  expect(own.text).not.toContain("hone_requests_total");
  const token = { headers: { Authorization: "Bearer of-the-operator" } };
  const all = await call("/metrics", { ...token, env: { METRICS_TOKEN: "of-the-operator" } });
  expect(all.text).toMatch(
    /hone_requests_total\{method="POST",route="\/v1\/models",status="201"\} \d+/,
  );
  expect(all.text).toMatch(/hone_request_seconds_bucket\{.*le="\+Inf"\} \d+/);
  for (const line of all.text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (TYPE|HELP) hone_\w+ .+|hone_\w+(\{.*\})? [\d.e+-]+)$/);
  // No token is set.
  expect((await call("/metrics", token)).status).toBe(401);
  expect((await call("/metrics", { env: { METRICS_TOKEN: "x" } })).status).toBe(401);
  const reader = (await ask("/v1/keys", { json: { name: "r", scopes: ["read"] } })).json.secret;
  const refused = await call("/metrics", { headers: { Authorization: `Bearer ${reader}` } });
  expect(refused.status).toBe(403);
});

it("readiness says which part does not answer", async () => {
  await newWorkspace();
  expect((await call("/readyz")).json).toEqual({ status: "ok", catalogue: "ok", blobs: "ok" });
  const BLOBS = failing(env.BLOBS, "head", "down");
  const noBlobs = await call("/readyz", { env: { BLOBS } });
  expect([noBlobs.status, noBlobs.json.blobs, noBlobs.json.catalogue]).toEqual([
    503,
    "unavailable",
    "ok",
  ]);
  const DB = failing(env.DB, "prepare", "down");
  const noCatalogue = await call("/readyz", { env: { DB } });
  expect([noCatalogue.status, noCatalogue.json.catalogue]).toEqual([503, "unavailable"]);
  expect((await call("/readyz", { method: "POST" })).status).toBe(405);
});
