import { expect, it } from "vitest";
import { linearFile, linearWithExternalData } from "./models.ts";
import { env, newWorkspace, storedObjects, type Workspace } from "./service.ts";

const MIB = 1 << 20;

async function start({ call }: Workspace): Promise<string> {
  const { status, json } = await call("/v1/uploads", { json: { name: "large.onnx" } });
  expect(status).toBe(201);
  return `/v1/uploads/${json.id}`;
}

it("parts in any order, one of them twice, make the model", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const file = await linearFile(1700, 1700);
  const upload = await start(workspace);
  const parts = [
    file.subarray(0, 5 * MIB),
    file.subarray(5 * MIB, 10 * MIB),
    file.subarray(10 * MIB),
  ];
  for (const number of [3, 1, 2, 1]) {
    const put = await call(`${upload}/parts/${number}`, {
      method: "PUT",
      body: parts[number - 1]!,
    });
    expect(put.json).toEqual({ number, bytes: parts[number - 1]!.length });
  }
  const status = await call(upload);
  expect(status.json).toMatchObject({
    state: "open",
    files: [{ location: "", bytes: file.length }],
  });
  expect(status.json.files[0].parts.map(({ number }: { number: number }) => number)).toEqual([
    1, 2, 3,
  ]);
  const done = await call(`${upload}/complete`, { method: "POST" });
  expect(done.status).toBe(201);
  expect(done.json).toMatchObject({ name: "large.onnx", bytes: file.length });
  const content = await call(`/v1/models/${done.json.id}/content`);
  expect(Buffer.compare(content.bytes, file)).toBe(0);
  expect((await call(upload)).json).toMatchObject({ state: "completed", model_id: done.json.id });
  const again = await call(`${upload}/complete`, { method: "POST" });
  expect(again.json.id).toBe(done.json.id);
  const late = await call(`${upload}/parts/4`, { method: "PUT", body: new Uint8Array(1) });
  expect(late.json).toMatchObject({ status: 409, code: "upload_not_open" });
  expect((await call(upload, { method: "DELETE" })).status).toBe(409);
  expect(await storedObjects(workspace.id)).toHaveLength(1);
});

it("external data files have parts of their own", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const { model, weights } = await linearWithExternalData("data/weights.bin");
  const upload = await start(workspace);
  await call(`${upload}/parts/1`, { method: "PUT", body: model });
  const location = encodeURIComponent("data/weights.bin");
  await call(`${upload}/parts/1?location=${location}`, { method: "PUT", body: weights });
  const done = await call(`${upload}/complete`, { method: "POST" });
  expect(done.json.external_data).toMatchObject([
    { location: "data/weights.bin", bytes: weights.length },
  ]);
  const file = await call(`/v1/models/${done.json.id}/files/${location}`);
  expect(file.bytes).toEqual(weights);
});

it("R2's rules are said in its place", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const sizes: [Record<number, number>, string, RegExp][] = [
    [{}, "upload_incomplete", /no part of the model/],
    [{ 2: 100 }, "upload_incomplete", /part 1 has not arrived/],
    [{ 1: 1000, 2: 1000 }, "part_size_invalid", /part 1 has 1000 bytes/],
    [
      { 1: 5 * MIB, 2: 6 * MIB, 3: 1 },
      "part_size_invalid",
      /part 2 has 6291456 bytes, part 1 has 5242880/,
    ],
    [{ 1: 5 * MIB, 2: 6 * MIB }, "part_size_invalid", /last part has 6291456/],
  ];
  for (const [parts, code, detail] of sizes) {
    const upload = await start(workspace);
    for (const [number, bytes] of Object.entries(parts)) {
      await call(`${upload}/parts/${number}`, { method: "PUT", body: new Uint8Array(bytes) });
    }
    const answer = await call(`${upload}/complete`, { method: "POST" });
    expect(answer.json).toMatchObject({ code, detail: expect.stringMatching(detail) });
    expect((await call(upload)).json.state).toBe("open");
    await call(upload, { method: "DELETE" });
  }
});

it("a refused model ends its upload and leaves nothing", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const upload = await start(workspace);
  await call(`${upload}/parts/1`, {
    method: "PUT",
    body: new TextEncoder().encode("no model at all, sorry"),
  });
  const answer = await call(`${upload}/complete`, { method: "POST" });
  expect(answer.status).toBeGreaterThanOrEqual(415);
  expect((await call(upload)).json.state).toBe("aborted");
  expect(await storedObjects(workspace.id)).toEqual([]);
});

it("an aborted upload takes no parts and leaves nothing", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const upload = await start(workspace);
  await call(`${upload}/parts/1`, { method: "PUT", body: new Uint8Array(100) });
  expect((await call(upload, { method: "DELETE" })).status).toBe(204);
  expect((await call(`${upload}/parts/2`, { method: "PUT", body: new Uint8Array(1) })).status).toBe(
    409,
  );
  expect((await call(`${upload}/complete`, { method: "POST" })).json).toMatchObject({
    code: "upload_not_open",
  });
  const { results } = await env.DB.prepare("SELECT * FROM temporary_objects WHERE owner = ?")
    .bind(upload.slice("/v1/uploads/".length))
    .all();
  expect(results).toEqual([]);
});

it("numbers, sizes and names are checked", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const upload = await start(workspace);
  expect((await call(`${upload}/parts/0`, { method: "PUT", body: new Uint8Array(1) })).status).toBe(
    400,
  );
  expect(
    (await call(`${upload}/parts/10001`, { method: "PUT", body: new Uint8Array(1) })).status,
  ).toBe(400);
  expect(
    (await call(`${upload}/parts/1`, { method: "PUT", body: new Uint8Array(0) })).json,
  ).toMatchObject({
    status: 400,
    code: "empty_body",
  });
  const large = await call(`${upload}/parts/1`, {
    method: "PUT",
    body: new Uint8Array(2000),
    headers: { "Content-Length": "2000" },
    env: { MAX_BODY_BYTES: "1000" },
  });
  expect(large.json).toMatchObject({ status: 413, code: "body_too_large" });
  expect((await call("/v1/uploads", { json: { title: "x" } })).json).toMatchObject({
    code: "unknown_option",
  });
  for (const path of ["", "/complete"]) {
    const answer = await call(`/v1/uploads/upload_none${path}`, { method: path ? "POST" : "GET" });
    expect(answer.status).toBe(404);
  }
});

it("an expired upload is gone", async () => {
  const workspace = await newWorkspace();
  const upload = await start(workspace);
  await env.DB.prepare("UPDATE uploads SET expires_at = 1 WHERE id = ?")
    .bind(upload.slice("/v1/uploads/".length))
    .run();
  expect((await workspace.call(upload)).status).toBe(404);
});
