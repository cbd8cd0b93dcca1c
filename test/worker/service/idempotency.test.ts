import { expect, it } from "vitest";
import { seal, unseal } from "../../../src/store/sealed.ts";
import { linearFile } from "./models.ts";
import { env, failing, newWorkspace } from "./service.ts";

it("the same call gets the first answer, and makes one thing", async () => {
  const { call } = await newWorkspace();
  const body = await linearFile();
  const headers = { "Idempotency-Key": "one" };
  const first = await call("/v1/models", { body, headers });
  const second = await call("/v1/models", { body, headers });
  expect(second.json).toEqual(first.json);
  expect([second.status, second.headers.get("Location")]).toEqual([
    201,
    first.headers.get("Location"),
  ]);
  expect(second.headers.get("Idempotent-Replayed")).toBe("true");
  expect((await call("/v1/models")).json.data).toHaveLength(1);
});

it("another body or path with the same key is a 422", async () => {
  const { call } = await newWorkspace();
  const headers = { "Idempotency-Key": "one" };
  await call("/v1/models", { body: await linearFile(), headers });
  const body = await call("/v1/models", { body: await linearFile(64, 64, 2), headers });
  expect(body.json).toMatchObject({ status: 422, code: "idempotency_key_reused" });
  const path = await call("/v1/uploads", { json: { name: "x" }, headers });
  expect(path.json).toMatchObject({ status: 422, code: "idempotency_key_reused" });
});

it("while the first is under way, the second is a 409", async () => {
  const { id, call } = await newWorkspace();
  const headers = { "Idempotency-Key": "one" };
  await call("/v1/uploads", { json: { name: "x" }, headers });
  await env.DB.prepare("UPDATE idempotency_keys SET status = NULL WHERE workspace_id = ?")
    .bind(id)
    .run();
  const answer = await call("/v1/uploads", { json: { name: "x" }, headers });
  expect(answer.json).toMatchObject({ status: 409, code: "idempotency_key_in_progress" });
  expect(answer.headers.get("Retry-After")).toBe("2");
});

it("of many at once, one makes it", async () => {
  const { call } = await newWorkspace();
  const { json } = await call("/v1/models", { body: await linearFile() });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      call(`/v1/models/${json.id}/prune`, { json: {}, headers: { "Idempotency-Key": "x" } }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status)).isSubsetOf(new Set([202, 409]))).toBe(true);
  expect((await call("/v1/jobs")).json.data).toHaveLength(1);
});

it("refusals are kept, failures of the service are not", async () => {
  const { call } = await newWorkspace();
  const headers = { "Idempotency-Key": "one" };
  const refused = await call("/v1/models", { method: "POST", body: "text", headers });
  expect((await call("/v1/models", { method: "POST", body: "text", headers })).text).toBe(
    refused.text,
  );
  const BLOBS = failing(env.BLOBS, "put", "put: internal error (10001)");
  const retry = { body: await linearFile(), headers: { "Idempotency-Key": "two" } };
  const failed = await call("/v1/models", {
    ...retry,
    env: { BLOBS },
  });
  expect(failed.status).toBe(503);
  expect((await call("/v1/models", retry)).status).toBe(201);
});

it("keys belong to a workspace, and expire", async () => {
  const one = await newWorkspace();
  const two = await newWorkspace();
  const init = { json: { name: "x" }, headers: { "Idempotency-Key": "same" } };
  const first = await one.call("/v1/uploads", init);
  expect((await two.call("/v1/uploads", init)).json.id).not.toBe(first.json.id);
  await env.DB.prepare("UPDATE idempotency_keys SET expires_at = 1 WHERE workspace_id = ?")
    .bind(one.id)
    .run();
  expect((await one.call("/v1/uploads", init)).json.id).not.toBe(first.json.id);
});

it("an answer with a secret is replayed, and is not in the store as text", async () => {
  const { call, id } = await newWorkspace();
  const make = () =>
    call("/v1/webhook-endpoints", {
      json: { url: "https://example.com/hook", description: "x".repeat(200) },
      headers: { "Idempotency-Key": "endpoint" },
      env: { DNS_OVER_HTTPS_URL: "" },
    });
  const first = await make();
  expect(first.json.secret).toMatch(/^whsec_/);
  const second = await make();
  expect(second.json).toEqual(first.json);
  const row = await env.DB.prepare("SELECT body FROM idempotency_keys WHERE workspace_id = ?")
    .bind(id)
    .first<{ body: string }>();
  expect(row?.body).toMatch(/^sealed:/);
  expect(row?.body).not.toContain("whsec_");
});

it("answers of any length are sealed and opened", async () => {
  const text = "ä".repeat(300_000);
  expect(await unseal(env, "p", await seal(env, "p", text))).toBe(text);
  await expect(unseal(env, "q", await seal(env, "p", text))).rejects.toThrow("SIGNING_SECRET");
});
