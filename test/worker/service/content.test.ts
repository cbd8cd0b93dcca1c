import { beforeAll, expect, it } from "vitest";
import { acceptsGzip } from "../../../src/routes/gzip.ts";
import { blankFile, linearFile } from "./models.ts";
import { type CallInit, newWorkspace, type Workspace } from "./service.ts";

let workspace: Workspace;
let path: string;
let file: Uint8Array;
let etag: string;

beforeAll(async () => {
  workspace = await newWorkspace();
  file = await linearFile();
  const { json } = await workspace.call("/v1/models?name=größe.onnx", {
    body: file as Uint8Array<ArrayBuffer>,
  });
  path = `/v1/models/${json.id}/content`;
  etag = `"${json.sha256}"`;
});

const get = (headers: Record<string, string>, init: CallInit = {}) =>
  workspace.call(path, { headers, ...init });

it("the ETag is the hash, names of any script are encoded", async () => {
  const answer = await get({});
  expect(answer.headers.get("ETag")).toBe(etag);
  expect(answer.headers.get("Accept-Ranges")).toBe("bytes");
  expect(answer.headers.get("Content-Disposition")).toBe(
    `attachment; filename="gr__e.onnx"; filename*=UTF-8''gr%C3%B6%C3%9Fe.onnx`,
  );
});

it.each([
  ["bytes=0-9", 0, 10],
  ["bytes=100-", 100, undefined],
  ["bytes=-7", -7, undefined],
  ["bytes=5-99999999", 5, undefined],
])("%s is a part", async (range, start, end) => {
  const answer = await get({ Range: range });
  expect(answer.status).toBe(206);
  const expected = file.slice(start, end);
  expect(answer.bytes).toEqual(expected);
  const first = start < 0 ? file.length + start : start;
  expect(answer.headers.get("Content-Range")).toBe(
    `bytes ${first}-${first + expected.length - 1}/${file.length}`,
  );
});

it.each(["bytes=0-1,5-9", "bytes=9-5", "items=0-1", "bytes=-"])(
  "%s gets the whole",
  async (range) => {
    const answer = await get({ Range: range });
    expect([answer.status, answer.bytes.length]).toEqual([200, file.length]);
  },
);

it.each(["bytes=99999999-", "bytes=-0"])("%s is not satisfiable", async (range) => {
  const answer = await get({ Range: range });
  expect(answer.json).toMatchObject({ status: 416, code: "range_not_satisfiable" });
  expect(answer.headers.get("Content-Range")).toBe(`bytes */${file.length}`);
});

it("If-None-Match spares the bytes", async () => {
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    expect([tag, (await get({ "If-None-Match": tag })).status]).toEqual([tag, 304]);
  }
  expect((await get({ "If-None-Match": '"other"' })).status).toBe(200);
});

it("If-Match refuses another content", async () => {
  expect((await get({ "If-Match": '"other"' })).json).toMatchObject({
    status: 412,
    code: "precondition_failed",
  });
  expect((await get({ "If-Match": etag })).status).toBe(200);
});

it("If-Range with another ETag gets the whole", async () => {
  expect((await get({ Range: "bytes=0-9", "If-Range": '"other"' })).status).toBe(200);
  expect((await get({ Range: "bytes=0-9", "If-Range": etag })).status).toBe(206);
});

it("HEAD has the headers and no bytes", async () => {
  const answer = await get({}, { method: "HEAD" });
  expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
  expect(answer.headers.get("ETag")).toBe(etag);
});

it("content of no model is 404", async () => {
  expect((await workspace.call("/v1/models/model_none/content")).status).toBe(404);
});

it.each([
  ["gzip", true],
  ["br, GZIP;q=0.5", true],
  ["*", true],
  ["", false],
  ["br", false],
  ["gzip;q=0", false],
  ["gzip;q=0.000, *", false],
  ["identity, gzip;q=none", false],
])("Accept-Encoding: %s takes gzip: %s", (header, takes) => {
  expect(acceptsGzip(header)).toBe(takes);
});

const ungzip = async (bytes: Uint8Array<ArrayBuffer>) =>
  await new Response(
    new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")),
  ).bytes();

it("zeros go through gzip, under a weak ETag; with If-Match or a range they are the bytes", async () => {
  const zeros = await blankFile(600);
  const { json } = await workspace.call("/v1/models", { body: zeros });
  const strong = `"${json.sha256}"`;
  const ask = (headers: Record<string, string>, method = "GET") =>
    workspace.call(`/v1/models/${json.id}/content`, {
      method,
      headers: { "Accept-Encoding": "gzip", ...headers },
    });
  const encoded = await ask({});
  expect(encoded.headers.get("Content-Encoding")).toBe("gzip");
  expect(encoded.headers.get("ETag")).toBe(`W/${strong}`);
  expect(encoded.headers.get("Vary")).toBe("Accept-Encoding");
  expect(encoded.bytes.length).toBeLessThan(zeros.length / 100);
  expect(await ungzip(encoded.bytes as Uint8Array<ArrayBuffer>)).toEqual(zeros);
  for (const tag of [strong, `W/${strong}`]) {
    const spared = await ask({ "If-None-Match": tag });
    expect([spared.status, spared.headers.get("ETag")]).toEqual([304, `W/${strong}`]);
  }
  for (const headers of [
    { "If-Match": strong },
    { Range: "bytes=0-" },
    { "Accept-Encoding": "" },
  ]) {
    const plain = await ask(headers as Record<string, string>);
    expect(plain.headers.get("Content-Encoding")).toBeNull();
    expect(plain.headers.get("ETag")).toBe(strong);
    expect(plain.headers.get("Vary")).toBe("Accept-Encoding");
    expect(plain.bytes).toEqual(zeros);
  }
});

it("a page's Origin is named in Vary beside the encoding", async () => {
  const answer = await get(
    {},
    { headers: { Origin: "https://app.example" }, env: { CORS_ORIGINS: "https://app.example" } },
  );
  expect(answer.headers.get("Vary")?.split(/, */).sort()).toEqual(["Accept-Encoding", "Origin"]);
});

it("codes and floats, and what is small, go as they are", async () => {
  for (const body of [await linearFile(256, 256), await blankFile(32)]) {
    const { json } = await workspace.call("/v1/models", { body });
    const headers = { "Accept-Encoding": "gzip" };
    const answer = await workspace.call(`/v1/models/${json.id}/content`, { headers });
    expect(answer.headers.get("Content-Encoding")).toBeNull();
    expect(answer.bytes).toEqual(body);
  }
});
