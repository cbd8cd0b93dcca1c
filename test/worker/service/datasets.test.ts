import { expect, it } from "vitest";
import brotli from "../../goldens/data/brotli.parquet?url&inline";
import gzip from "../../goldens/data/groups.parquet?url&inline";
import lz4 from "../../goldens/data/lz4.parquet?url&inline";
import pixels from "../../goldens/data/pixels.parquet?url&inline";
import zstd from "../../goldens/data/version-2.parquet?url&inline";
import { openDataset } from "../../../src/store/datasets.ts";
import { digitsNpz, inlined, npy, safetensors } from "./dataset-files.ts";
import { linearFile } from "./models.ts";
import { env, failing, newWorkspace, storedObjects } from "./service.ts";

const PATH = "/v1/datasets";

it("an .npz becomes fields of rows", async () => {
  const { call } = await newWorkspace();
  const answer = await call(`${PATH}?name=digits`, { body: digitsNpz() });
  expect(answer.status).toBe(201);
  expect(answer.json).toMatchObject({
    object: "dataset",
    name: "digits",
    format: "npz",
    rows: 10,
    bytes: 140,
    fields: [
      { name: "image", dtype: "uint8", shape: [2, 3] },
      { name: "label", dtype: "int64", shape: [] },
    ],
  });
  expect(answer.json.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(answer.headers.get("Location")).toBe(`${PATH}/${answer.json.id}`);
  expect((await call(`${PATH}/${answer.json.id}`)).json).toEqual(answer.json);
});

it("rows are shown as numbers", async () => {
  const { call } = await newWorkspace();
  const { id } = (await call(PATH, { body: digitsNpz() })).json;
  const rows = await call(`${PATH}/${id}/rows?start=1&limit=2`);
  expect(rows.json).toEqual({
    object: "list",
    data: [
      {
        image: [
          [6, 7, 8],
          [9, 10, 11],
        ],
        label: 1,
      },
      {
        image: [
          [12, 13, 14],
          [15, 16, 17],
        ],
        label: 2,
      },
    ],
    start: 1,
    rows: 10,
    has_more: true,
  });
  expect((await call(`${PATH}/${id}/rows?start=8&fields=label`)).json).toMatchObject({
    data: [{ label: 8 }, { label: 9 }],
    has_more: false,
  });
  expect((await call(`${PATH}/${id}/rows?start=99`)).json.data).toEqual([]);
  expect((await call(`${PATH}/${id}/rows?fields=lable`)).json).toMatchObject({
    status: 422,
    code: "unknown_name",
  });
  expect((await call(`${PATH}/${id}/rows?limit=0`)).status).toBe(400);
});

it("what JSON has no number for is text", async () => {
  const { call } = await newWorkspace();
  const body = "a,b\nnan,9007199254740993\n-inf,1\n";
  const { id } = (await call(`${PATH}?dtype=a:float16,b:int64`, { body })).json;
  expect((await call(`${PATH}/${id}/rows`)).json.data).toEqual([
    { a: "NaN", b: "9007199254740993" },
    { a: "-Infinity", b: 1 },
  ]);
});

it("rows that are too large to show are a 413", async () => {
  const { call } = await newWorkspace();
  const large = npy("|u1", [2, 2 ** 20 + 1], new Uint8Array(2 ** 21 + 2));
  const { id } = (await call(PATH, { body: large })).json;
  expect((await call(`${PATH}/${id}/rows`)).json).toMatchObject({
    status: 413,
    code: "dataset_too_large",
  });
});

it("csv takes its options from the query", async () => {
  const { call } = await newWorkspace();
  const body = "p1;p2;p3;p4;label\n0;64;128;255;1\n1;2;3;4;0\n";
  const query = "fields=image[2x2]:p*,label&dtype=label:int64&header=true&delimiter=;";
  const { json } = await call(`${PATH}?${query}`, {
    body,
    headers: { "Content-Type": "text/csv" },
  });
  expect(json).toMatchObject({
    format: "csv",
    name: "dataset.csv",
    rows: 2,
    fields: [
      { name: "image", dtype: "uint8", shape: [2, 2] },
      { name: "label", dtype: "int64", shape: [] },
    ],
  });
  expect((await call(`${PATH}/${json.id}/rows`)).json.data[0]).toEqual({
    image: [
      [0, 64],
      [128, 255],
    ],
    label: 1,
  });
});

it.each([
  ["gzip", gzip],
  ["zstd", zstd],
  ["brotli", brotli],
  ["lz4", lz4],
])("parquet packed by %s is read in the isolate", async (_, file) => {
  const { call } = await newWorkspace();
  const { json } = await call(`${PATH}?fields=sorted,class,float32`, { body: inlined(file) });
  expect(json).toMatchObject({ format: "parquet", rows: 130 });
  const rows = await call(`${PATH}/${json.id}/rows?start=40&limit=1&fields=sorted`);
  expect(rows.json.data).toEqual([{ sorted: 20 }]);
});

it("parquet columns are grouped, packed by snappy", async () => {
  const { call } = await newWorkspace();
  const { json } = await call(`${PATH}?fields=image[3x4]:pixel_*,label`, {
    body: inlined(pixels),
  });
  expect(json).toMatchObject({
    rows: 50,
    fields: [
      { name: "image", dtype: "uint8", shape: [3, 4] },
      { name: "label", dtype: "int64", shape: [] },
    ],
  });
});

it("safetensors and .npy are datasets too", async () => {
  const { call } = await newWorkspace();
  const header = { x: { dtype: "F32", shape: [2, 1], data_offsets: [0, 8] } };
  const tensors = await call(PATH, { body: safetensors(header, new Uint8Array(8)) });
  expect(tensors.json).toMatchObject({ format: "safetensors", rows: 2 });
  const array = npy("<f4", [3, 2], new Uint8Array(24));
  expect((await call(`${PATH}?fields=x`, { body: array })).json).toMatchObject({
    format: "npy",
    fields: [{ name: "x", dtype: "float32", shape: [2] }],
  });
});

it("a form has one part, whose file name is the dataset's", async () => {
  const { call } = await newWorkspace();
  const form = (name: string) => {
    const data = new FormData();
    data.set(name, new File([digitsNpz()], "digits.npz"));
    return { body: data };
  };
  expect((await call(PATH, form("dataset"))).json).toMatchObject({ name: "digits.npz", rows: 10 });
  expect((await call(PATH, form("model"))).json).toMatchObject({
    status: 400,
    code: "invalid_multipart",
  });
});

it("a URL that may not be fetched is a 403", async () => {
  const { call } = await newWorkspace();
  const answer = await call(PATH, { json: { url: "http://169.254.169.254/digits.npz" } });
  expect(answer.json).toMatchObject({ status: 403, code: "url_not_allowed" });
  expect((await call(PATH, { json: { uri: "x" } })).status).toBe(400);
});

it("what is no dataset is refused, and leaves nothing", async () => {
  const { id, call } = await newWorkspace();
  const cases: [string | Uint8Array<ArrayBuffer>, number, string, RegExp][] = [
    ["", 400, "empty_body", /no bytes/],
    [await linearFile(), 415, "not_a_dataset", /begins with 08/],
    [digitsNpz(10, 9), 422, "invalid_dataset", /"image" has 10 rows, "label" has 9/],
    [digitsNpz().subarray(0, 300), 422, "invalid_dataset", /truncated/],
    ["a,b\n1,2\n3\n", 422, "invalid_dataset", /line 3 has 1 cells, the first line 2/],
    [
      "a,b\n1,2\n3,cat\n",
      422,
      "invalid_dataset",
      /line 3, column 2 \("b"\): "cat" is not a number/,
    ],
    [npy("|O", [1], new Uint8Array(8)), 422, "invalid_dataset", /pickle/],
    [npy("<U3", [1], new Uint8Array(12)), 422, "invalid_dataset", /"data".*text/],
    [npy("|u1", [0, 4], new Uint8Array(0)), 422, "invalid_dataset", /no rows/],
    [npy("|u1", [2, 2 ** 24 + 1], new Uint8Array(0)), 422, "invalid_dataset", /there are 0/],
  ];
  for (const [body, status, code, detail] of cases) {
    const { json } = await call(PATH, { method: "POST", body });
    expect([json.status, json.code]).toEqual([status, code]);
    expect(json.detail).toMatch(detail);
  }
  expect((await call(PATH)).json.data).toEqual([]);
  expect(await storedObjects(id)).toEqual([]);
});

it("options that do not exist or do not read are a 400 or 422 with their name", async () => {
  const { call } = await newWorkspace();
  const body = digitsNpz();
  expect((await call(`${PATH}?dtpye=uint8`, { body })).json).toMatchObject({
    status: 400,
    code: "unknown_option",
  });
  expect((await call(`${PATH}?header=yes`, { body })).status).toBe(400);
  expect((await call(`${PATH}?dtype=int5`, { body })).json).toMatchObject({
    status: 422,
    detail: expect.stringContaining('"int5"'),
  });
  expect((await call(`${PATH}?fields=image`, { body })).json.detail).toContain(
    "fields is for csv and parquet",
  );
});

it("a body over the limit is a 413", async () => {
  const { call } = await newWorkspace();
  const answer = await call(PATH, { body: digitsNpz(1000), env: { MAX_BODY_BYTES: "100" } });
  expect(answer.json).toMatchObject({ status: 413, code: "body_too_large" });
});

it("datasets are listed in pages, newest first", async () => {
  const { call } = await newWorkspace();
  for (const name of ["one", "two", "three"]) {
    await call(`${PATH}?name=${name}`, { body: digitsNpz() });
  }
  const first = (await call(`${PATH}?limit=2`)).json;
  const second = (await call(`${PATH}?limit=2&cursor=${first.next_cursor}`)).json;
  const names = [...first.data, ...second.data].map(({ name }: { name: string }) => name);
  expect(new Set(names)).toEqual(new Set(["one", "two", "three"]));
  expect([first.has_more, second.has_more]).toEqual([true, false]);
  expect((await call(`${PATH}?cursor=x`)).json).toMatchObject({
    status: 400,
    code: "invalid_cursor",
  });
});

it("a deleted dataset is gone, its bytes too", async () => {
  const { id: workspace, call } = await newWorkspace();
  const { id } = (await call(PATH, { body: digitsNpz() })).json;
  expect(await storedObjects(workspace)).toHaveLength(2);
  expect((await call(`${PATH}/${id}`, { method: "DELETE" })).status).toBe(204);
  expect(await storedObjects(workspace)).toEqual([]);
  for (const path of [`${PATH}/${id}`, `${PATH}/${id}/rows`]) {
    expect((await call(path)).json).toMatchObject({ status: 404, code: "not_found" });
  }
  expect((await call(`${PATH}/${id}`, { method: "DELETE" })).status).toBe(404);
});

it("a dataset that a job reads cannot be deleted before the job is over", async () => {
  const { id: workspace, call } = await newWorkspace();
  const { id } = (await call(PATH, { body: digitsNpz() })).json;
  const state = (name: string) =>
    env.DB.prepare("UPDATE jobs SET state = ? WHERE workspace_id = ?").bind(name, workspace).run();
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO jobs (id, workspace_id, operation, model_id, state, view, created_at) VALUES (?, ?, 'train', 'model', 'running', '{}', 1)",
    ).bind(`job_${workspace}`, workspace),
    env.DB.prepare("INSERT INTO job_inputs (job_id, input_id) VALUES (?, ?)").bind(
      `job_${workspace}`,
      id,
    ),
  ]);
  const refused = await call(`${PATH}/${id}`, { method: "DELETE" });
  expect(refused.json).toMatchObject({ status: 409, code: "dataset_in_use" });
  expect(await storedObjects(workspace)).toHaveLength(2);
  expect((await call(`${PATH}/${id}/rows`)).status).toBe(200);
  await state("succeeded");
  expect((await call(`${PATH}/${id}`, { method: "DELETE" })).status).toBe(204);
});

it("another workspace sees nothing of it", async () => {
  const owner = await newWorkspace();
  const other = await newWorkspace();
  const { id } = (await owner.call(PATH, { body: digitsNpz() })).json;
  const calls: [string, string][] = [
    ["GET", `${PATH}/${id}`],
    ["GET", `${PATH}/${id}/rows`],
    ["DELETE", `${PATH}/${id}`],
  ];
  for (const [method, path] of calls) {
    expect([path, (await other.call(path, { method })).status]).toEqual([path, 404]);
  }
  expect((await other.call(PATH)).json.data).toEqual([]);
  expect(await openDataset(env, other.id, id)).toBeUndefined();
  expect((await owner.call(`${PATH}/${id}`)).status).toBe(200);
});

it("the same call with the same key makes one dataset", async () => {
  const { call } = await newWorkspace();
  const headers = { "Idempotency-Key": "one" };
  const first = await call(PATH, { body: digitsNpz(), headers });
  const second = await call(PATH, { body: digitsNpz(), headers });
  expect(second.json).toEqual(first.json);
  expect((await call(PATH)).json.data).toHaveLength(1);
  const other = await call(PATH, { body: digitsNpz(11), headers });
  expect(other.json).toMatchObject({ status: 422, code: "idempotency_key_reused" });
});

it("storage that fails is a 503, and nothing is left", async () => {
  const INTERNAL = "We encountered an internal error. Please try again. (10001)";
  const { id, call } = await newWorkspace();
  const put = failing(env.BLOBS, "put", `put: ${INTERNAL}`, 2);
  expect((await call(PATH, { body: digitsNpz(), env: { BLOBS: put } })).json).toMatchObject({
    status: 503,
    code: "storage_unavailable",
  });
  const DB = failing(env.DB, "batch", "D1_ERROR: no");
  expect((await call(PATH, { body: digitsNpz(), env: { DB } })).status).toBe(500);
  expect((await call(PATH)).json.data).toEqual([]);
  expect(await storedObjects(id)).toEqual([]);
  const dataset = (await call(PATH, { body: digitsNpz() })).json.id;
  const BLOBS = failing(env.BLOBS, "get", `get: ${INTERNAL}`);
  expect((await call(`${PATH}/${dataset}/rows`, { env: { BLOBS } })).status).toBe(503);
});

it("a connection that breaks leaves nothing", async () => {
  const { id, call } = await newWorkspace();
  const body = new ReadableStream({
    type: "bytes",
    start(controller) {
      controller.enqueue(digitsNpz().subarray(0, 100));
      controller.error(new Error("gone"));
    },
  });
  const answer = await call(PATH, { method: "POST", body });
  expect(answer.json).toMatchObject({ status: 400, code: "incomplete_body" });
  expect(await storedObjects(id)).toEqual([]);
});
