import { expect, it } from "vitest";
import { newWorkspace } from "./service.ts";

const MIB = 1 << 20;

it("JSON has a bound, with its length told or not", async () => {
  const { call } = await newWorkspace();
  const body = JSON.stringify({ name: "x".repeat(5 * MIB) });
  const headers = { "Content-Type": "application/json" };
  for (const path of ["/v1/keys", "/v1/recipes"]) {
    const told = await call(path, { method: "POST", body, headers });
    expect([path, told.status, told.json.code]).toEqual([path, 413, "body_too_large"]);
    const stream = new Blob([body]).stream();
    const untold = await call(path, { method: "POST", body: stream, headers });
    expect([path, untold.status, untold.json.code]).toEqual([path, 413, "body_too_large"]);
  }
});

it("a body of another type than JSON is a 415", async () => {
  const { call } = await newWorkspace();
  const headers = { "Content-Type": "text/plain" };
  const answer = await call("/v1/keys", { method: "POST", body: '{"name":"x"}', headers });
  expect(answer.json).toMatchObject({ status: 415, code: "unsupported_media_type" });
});

it("a key is spent only by a call that began", async () => {
  const { call } = await newWorkspace();
  const headers = { "Idempotency-Key": "one" };
  const wrong = await call("/v1/keys", { json: { nome: "x" }, headers });
  expect(wrong.status).toBe(400);
  const right = await call("/v1/keys", { json: { name: "x" }, headers });
  expect(right.status).toBe(201);
  const again = await call("/v1/keys", { json: { name: "x" }, headers });
  expect(again.json).toEqual(right.json);
  expect((await call("/v1/keys")).json.data).toHaveLength(2);
});
