import { expect, it } from "vitest";
import { call, env, failing, newWorkspace } from "./service.ts";

it("everything but the public pages needs a key", async () => {
  await newWorkspace();
  for (const path of [
    "/v1/models",
    "/v1/keys",
    "/v1/jobs/job_1",
    "/v1/quantize",
    "/no-such-page",
  ]) {
    const answer = await call(path);
    expect([path, answer.status]).toEqual([path, 401]);
    expect(answer.json).toMatchObject({ code: "unauthorized", status: 401 });
    expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer realm="hone"');
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
  }
  for (const path of ["/healthz", "/docs", "/openapi.yaml", "/openapi.json"]) {
    expect([path, (await call(path)).status]).toEqual([path, 200]);
  }
});

it("a wrong key and another scheme are told apart", async () => {
  await newWorkspace();
  const wrong = await call("/v1/models", { headers: { Authorization: "Bearer hone_wrong" } });
  expect(wrong.status).toBe(401);
  expect(wrong.headers.get("WWW-Authenticate")).toContain('error="invalid_token"');
  const basic = await call("/v1/models", { headers: { Authorization: "Basic aG9uZQ==" } });
  expect(basic.json.detail).toContain("Bearer <key>");
});

it("the scheme's case does not matter", async () => {
  const { key } = await newWorkspace();
  const answer = await call("/v1/models", { headers: { Authorization: `bearer ${key}` } });
  expect(answer.status).toBe(200);
});

it("every answer names its request, problems too", async () => {
  const workspace = await newWorkspace();
  const answer = await workspace.call("/v1/models/model_none");
  expect(answer.json.request_id).toMatch(/^req_/);
  expect(answer.headers.get("Request-Id")).toBe(answer.json.request_id);
});

it("unknown paths are 404, other methods 405 with Allow", async () => {
  const workspace = await newWorkspace();
  expect((await workspace.call("/v1/nothing")).json).toMatchObject({
    status: 404,
    code: "not_found",
  });
  const put = await workspace.call("/v1/models/model_1", { method: "PUT" });
  expect(put.json).toMatchObject({ status: 405, code: "method_not_allowed" });
  expect(put.headers.get("Allow")).toBe("DELETE, GET, HEAD");
});

it("beyond the rate limit is 429 with Retry-After", async () => {
  const workspace = await newWorkspace();
  const RATE_LIMIT: RateLimit = { limit: async () => ({ success: false }) };
  const answer = await workspace.call("/v1/models", { env: { RATE_LIMIT } });
  expect(answer.json).toMatchObject({ status: 429, code: "rate_limited" });
  expect(answer.headers.get("Retry-After")).toBe("60");
  expect(answer.headers.get("RateLimit")).toBe('"default";r=0;t=60');
});

it("the real limiter counts by key", async () => {
  const one = await newWorkspace();
  const other = await newWorkspace();
  const { json } = await one.call("/v1/keys");
  const key = json.data[0].id;
  // The other requests of this minute.
  await Promise.all(Array.from({ length: 1200 }, () => env.RATE_LIMIT.limit({ key })));
  expect((await one.call("/v1/nothing")).status).toBe(429);
  expect((await other.call("/v1/nothing")).status).toBe(404);
});

it("what fails inside is a 500 without details", async () => {
  const workspace = await newWorkspace();
  const DB = failing(env.DB, "batch", "a secret of the database");
  const answer = await workspace.call("/v1/uploads/upload_1", { env: { DB } });
  expect(answer.json).toMatchObject({ status: 500, code: "internal_error" });
  expect(answer.text).not.toContain("secret");
});

it("health says when the catalogue does not answer", async () => {
  const DB = { prepare: () => ({ first: async () => Promise.reject(new Error("down")) }) };
  expect((await call("/healthz", { env: { DB: DB as unknown as D1Database } })).status).toBe(503);
  expect((await call("/healthz")).json).toEqual({ status: "ok" });
});
