import { expect, it } from "vitest";
import { linearFile, linearWithExternalData } from "./models.ts";
import { env, newWorkspace, storedObjects } from "./service.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(
    await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>),
  ).toString("hex");
}

it("a model is described and can be downloaded byte for byte", async () => {
  const { call } = await newWorkspace();
  const file = await linearFile();
  const made = await call("/v1/models?name=linear.onnx", { body: file });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({
    object: "model",
    name: "linear.onnx",
    sha256: await sha256(file),
    bytes: file.length,
    opset: 17,
    ir_version: 9,
    nodes: 1,
    parameters: 4096,
    inputs: [{ name: "x", type: "float32", shape: ["batch", 64] }],
    outputs: [{ name: "y", type: "float32", shape: ["batch", 64] }],
    external_data: [],
    job_id: null,
  });
  expect(made.headers.get("Location")).toBe(`/v1/models/${made.json.id}`);
  expect((await call(`/v1/models/${made.json.id}`)).json).toEqual(made.json);
  const content = await call(`/v1/models/${made.json.id}/content`);
  expect(content.bytes).toEqual(file);
  expect(content.headers.get("Content-Disposition")).toBe('attachment; filename="linear.onnx"');
});

it("the same content is stored once, and deleted with its last model", async () => {
  const { id, call } = await newWorkspace();
  const file = await linearFile();
  const [one, two] = [
    await call("/v1/models", { body: file }),
    await call("/v1/models", { body: file }),
  ];
  expect(one.json.id).not.toBe(two.json.id);
  expect(await storedObjects(id)).toHaveLength(1);
  expect((await call(`/v1/models/${one.json.id}`, { method: "DELETE" })).status).toBe(204);
  expect((await call(`/v1/models/${one.json.id}`)).status).toBe(404);
  expect((await call(`/v1/models/${two.json.id}/content`)).bytes).toEqual(file);
  await call(`/v1/models/${two.json.id}`, { method: "DELETE" });
  expect(await storedObjects(id)).toEqual([]);
  expect((await call(`/v1/models/${two.json.id}`, { method: "DELETE" })).status).toBe(404);
});

it("lists are newest first, in pages", async () => {
  const { call } = await newWorkspace();
  const file = await linearFile();
  for (const name of ["a", "b", "c"]) await call(`/v1/models?name=${name}`, { body: file });
  const first = await call("/v1/models?limit=2");
  const rest = await call(`/v1/models?limit=2&cursor=${first.json.next_cursor}`);
  const names = [...first.json.data, ...rest.json.data].map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(["a", "b", "c"]));
  expect(rest.json).toMatchObject({ has_more: false, next_cursor: null });
});

it("external data comes as parts named by their location", async () => {
  const { call } = await newWorkspace();
  const { model, weights } = await linearWithExternalData("weights.bin");
  const form = new FormData();
  form.set("model", new File([model], "linear.onnx"));
  form.set("weights.bin", new File([weights], "weights.bin"));
  const made = await call("/v1/models", { body: form });
  expect(made.json).toMatchObject({
    name: "linear.onnx",
    bytes: model.length + weights.length,
    external_data: [
      { location: "weights.bin", bytes: weights.length, sha256: await sha256(weights) },
    ],
  });
  const file = await call(`/v1/models/${made.json.id}/files/weights.bin`);
  expect(file.bytes).toEqual(weights);
  expect((await call(`/v1/models/${made.json.id}/files/other.bin`)).status).toBe(404);
});

it("a missing file, one too many and a form without model are refused and leave nothing", async () => {
  const { id, call } = await newWorkspace();
  const { model, weights } = await linearWithExternalData("weights.bin");
  const missing = await call("/v1/models", { body: model });
  expect(missing.json).toMatchObject({ status: 422, code: "external_data" });
  const form = new FormData();
  form.set("model", new File([model], "linear.onnx"));
  form.set("weights.bin", new File([weights], "w"));
  form.set("wieghts.bin", new File([weights], "w"));
  const extra = await call("/v1/models", { body: form });
  expect(extra.json).toMatchObject({ status: 422, code: "unexpected_file" });
  expect(extra.json.detail).toContain("weights.bin");
  const none = new FormData();
  none.set("weights.bin", new File([weights], "w"));
  expect((await call("/v1/models", { body: none })).json).toMatchObject({
    status: 400,
    code: "invalid_multipart",
  });
  expect(await storedObjects(id)).toEqual([]);
});

it("what is no model is refused with what it is, and leaves nothing", async () => {
  const { id, call } = await newWorkspace();
  const cases: [Uint8Array | string, number, string][] = [
    [new Uint8Array(0), 400, "empty_body"],
    ["<!doctype html><title>404</title>", 415, "not_onnx"],
    ['{"error": "not found"}', 415, "not_onnx"],
    [new Uint8Array([0x50, 0x4b, 3, 4, ...Array(60).fill(0)]), 415, "not_onnx"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", 415, "not_onnx"],
    [(await linearFile()).subarray(0, 5000), 422, "truncated"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await call("/v1/models", {
      method: "POST",
      body,
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
    expect(answer.json).toMatchObject({ status, code });
  }
  expect((await call("/v1/models")).json.data).toEqual([]);
  expect(await storedObjects(id)).toEqual([]);
});

it("a truncated model says at which byte", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/models", { body: (await linearFile()).subarray(0, 100) });
  expect(answer.json.offset).toBeGreaterThan(0);
});

it("bodies past the limit are 413, told by their length or by their bytes", async () => {
  const { id, call } = await newWorkspace();
  const limits = { env: { MAX_BODY_BYTES: "1000" } };
  const file = await linearFile();
  const counted = await call("/v1/models", { body: file, ...limits });
  expect(counted.json).toMatchObject({ status: 413, code: "body_too_large" });
  const declared = await call("/v1/models", {
    body: file,
    headers: { "Content-Length": "1000000" },
    ...limits,
  });
  expect(declared.json).toMatchObject({ status: 413, code: "body_too_large" });
  expect(await storedObjects(id)).toEqual([]);
});

it("a body that spills to storage is the same model, and a refused one leaves nothing", async () => {
  const { id, call } = await newWorkspace();
  const large = await linearFile(2100, 2100);
  expect(large.length).toBeGreaterThan(16 << 20);
  const refused = await call("/v1/models", { body: large.subarray(0, large.length - 1) });
  expect(refused.json).toMatchObject({ status: 422, code: "truncated" });
  expect(await storedObjects(id)).toEqual([]);
  const made = await call("/v1/models", { body: large });
  expect(made.json).toMatchObject({ sha256: await sha256(large), parameters: 2100 * 2100 });
  const content = await call(`/v1/models/${made.json.id}/content`);
  expect(await sha256(content.bytes)).toBe(await sha256(large));
  const again = await call("/v1/models", { body: large });
  expect(again.status).toBe(201);
  expect(await storedObjects(id)).toHaveLength(1);
});

it("encoded bodies and options that do not exist are refused", async () => {
  const { call } = await newWorkspace();
  const encoded = await call("/v1/models", {
    body: bytesOf("x"),
    headers: { "Content-Encoding": "gzip" },
  });
  expect(encoded.json).toMatchObject({ status: 415, code: "unsupported_media_type" });
  const unknown = await call("/v1/models?nmae=x", { body: bytesOf("x") });
  expect(unknown.json).toMatchObject({ status: 400, code: "unknown_option" });
});

it("the graph shows nodes and sizes, by pages", async () => {
  const { call } = await newWorkspace();
  const { json } = await call("/v1/models", { body: await linearFile() });
  const graph = await call(`/v1/models/${json.id}/graph`);
  expect(graph.json).toMatchObject({
    object: "graph",
    node_count: 1,
    nodes: [{ name: "fc", op_type: "MatMul", inputs: ["x", "w"], outputs: ["y"], graph: "" }],
    initializer_count: 1,
    initializers: [{ name: "w", data_type: "float32", dims: [64, 64], bytes: 16384 }],
    has_more: false,
  });
  expect((await call(`/v1/models/${json.id}/graph?offset=1`)).json).toMatchObject({
    nodes: [],
    initializers: [],
  });
  expect((await call(`/v1/models/${json.id}/graph?limit=0`)).status).toBe(400);
  expect((await call("/v1/models/model_none/graph")).status).toBe(404);
});

it("a model whose object is lost is a 503, not a crash", async () => {
  const { id, call } = await newWorkspace();
  const { json } = await call("/v1/models", { body: await linearFile() });
  for (const key of await storedObjects(id)) await env.BLOBS.delete(key);
  for (const path of ["content", "graph"]) {
    const answer = await call(`/v1/models/${json.id}/${path}`);
    expect(answer.json).toMatchObject({ status: 503, code: "storage_unavailable" });
  }
});
