import { expect, it } from "vitest";
import { sweep } from "../../../src/jobs/sweep.ts";
import { newReportId, putReport } from "../../../src/store/reports.ts";
import { TemporaryObjects } from "../../../src/store/temporary-objects.ts";
import { linearFile } from "./models.ts";
import { env, failing, newWorkspace, storedObjects } from "./service.ts";

const INTERNAL = "We encountered an internal error. Please try again. (10001)";

async function temporaryObjects(workspace: string): Promise<unknown[]> {
  const { results } = await env.DB.prepare(
    "SELECT * FROM temporary_objects WHERE object_key LIKE ?",
  )
    .bind(`blobs/${workspace}/%`)
    .all();
  return results;
}

it("a put that fails is a 503, and no model is listed", async () => {
  const { id, call } = await newWorkspace();
  const BLOBS = failing(env.BLOBS, "put", `put: ${INTERNAL}`);
  const answer = await call("/v1/models", { body: await linearFile(), env: { BLOBS } });
  expect(answer.json).toMatchObject({ status: 503, code: "storage_unavailable" });
  expect(answer.headers.get("Retry-After")).toBe("5");
  expect((await call("/v1/models")).json.data).toEqual([]);
  expect(await temporaryObjects(id)).toEqual([]);
});

it("a multipart upload that cannot begin leaves nothing", async () => {
  const { id, call } = await newWorkspace();
  const BLOBS = failing(env.BLOBS, "createMultipartUpload", `createMultipartUpload: ${INTERNAL}`);
  const body = await linearFile(2100, 2100);
  const answer = await call("/v1/models", { body, env: { BLOBS } });
  expect(answer.status).toBe(503);
  expect(await storedObjects(id)).toEqual([]);
  expect(await temporaryObjects(id)).toEqual([]);
});

it("a catalogue that fails at the end leaves no bytes", async () => {
  const { id, call } = await newWorkspace();
  const DB = failing(env.DB, "batch", "D1_ERROR: no");
  const answer = await call("/v1/models", { body: await linearFile(), env: { DB } });
  expect(answer.status).toBe(500);
  expect(await storedObjects(id)).toEqual([]);
});

it("an object that cannot be read is a 503", async () => {
  const { call } = await newWorkspace();
  const { json } = await call("/v1/models", { body: await linearFile() });
  const BLOBS = failing(env.BLOBS, "get", `get: ${INTERNAL}`);
  for (const path of ["content", "graph"]) {
    expect((await call(`/v1/models/${json.id}/${path}`, { env: { BLOBS } })).status).toBe(503);
  }
});

it("a delete that fails halfway is finished by the sweep", async () => {
  const { id, call } = await newWorkspace();
  const { json } = await call("/v1/models", { body: await linearFile() });
  const BLOBS = failing(env.BLOBS, "delete", `delete: ${INTERNAL}`);
  await call(`/v1/models/${json.id}`, { method: "DELETE", env: { BLOBS } });
  expect((await call(`/v1/models/${json.id}`)).status).toBe(404);
  expect(await storedObjects(id)).toHaveLength(1);
  await sweep(env);
  expect(await storedObjects(id)).toEqual([]);
});

it("the sweep deletes what a dead request left, and nothing before its time", async () => {
  const { id } = await newWorkspace();
  const objects = new TemporaryObjects(env, id, "request_dead", 60_000);
  const stored = await objects.create();
  await env.BLOBS.put(stored.key, "bytes");
  const unfinished = await objects.create();
  const multipart = await env.BLOBS.createMultipartUpload(unfinished.key);
  await unfinished.setMultipartId(multipart.uploadId);
  await sweep(env);
  expect(await storedObjects(id)).toEqual([stored.key]);
  await sweep(env, Date.now() + 61_000);
  expect(await storedObjects(id)).toEqual([]);
  expect(await temporaryObjects(id)).toEqual([]);
  await expect(multipart.uploadPart(1, "late")).rejects.toThrow();
});

it("reports, uploads and idempotency keys end with their time", async () => {
  const { id, call } = await newWorkspace();
  const report = newReportId();
  await putReport(env, id, report, { object: "report" });
  const upload = await call("/v1/uploads", { json: {}, headers: { "Idempotency-Key": "x" } });
  const part = await call(`/v1/uploads/${upload.json.id}/parts/1`, {
    method: "PUT",
    body: new Uint8Array(9),
  });
  expect(part.status).toBe(200);
  await sweep(env);
  expect((await call(`/v1/reports/${report}`)).status).toBe(200);
  expect((await call(`/v1/uploads/${upload.json.id}`)).status).toBe(200);
  await sweep(env, Date.now() + 31 * 24 * 60 * 60 * 1000);
  expect((await call(`/v1/reports/${report}`)).status).toBe(404);
  expect((await call(`/v1/uploads/${upload.json.id}`)).status).toBe(404);
  expect(await temporaryObjects(id)).toEqual([]);
  const again = await call("/v1/uploads", { json: {}, headers: { "Idempotency-Key": "x" } });
  expect(again.json.id).not.toBe(upload.json.id);
});

it("a completion that died is taken up again", async () => {
  const { call } = await newWorkspace();
  const upload = `/v1/uploads/${(await call("/v1/uploads", { json: {} })).json.id}`;
  await call(`${upload}/parts/1`, { method: "PUT", body: await linearFile() });
  const BLOBS = failing(env.BLOBS, "get", `get: ${INTERNAL}`);
  const failed = await call(`${upload}/complete`, { method: "POST", env: { BLOBS } });
  expect(failed.status).toBe(503);
  expect((await call(upload)).json.state).toBe("open");
  expect((await call(`${upload}/complete`, { method: "POST" })).status).toBe(201);
});

it("while one completes an upload, another is refused", async () => {
  const { call } = await newWorkspace();
  const { id } = (await call("/v1/uploads", { json: {} })).json;
  await call(`/v1/uploads/${id}/parts/1`, { method: "PUT", body: await linearFile() });
  await env.DB.prepare("UPDATE uploads SET state = 'completing', claimed_at = ? WHERE id = ?")
    .bind(Date.now(), id)
    .run();
  const second = await call(`/v1/uploads/${id}/complete`, { method: "POST" });
  expect(second.json).toMatchObject({ status: 409, code: "upload_not_open" });
  await env.DB.prepare("UPDATE uploads SET claimed_at = 1 WHERE id = ?").bind(id).run();
  expect((await call(`/v1/uploads/${id}/complete`, { method: "POST" })).status).toBe(201);
});
