import { expect, it } from "vitest";
import { zipSync } from "fflate";
import { linearFile, linearWithExternalData } from "./models.ts";
import { newWorkspace } from "./service.ts";

/** A .npy file (version 1.0) of float32. */
function npy(values: number[], shape: number[]): Uint8Array {
  const header =
    `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117);
  const bytes = new Uint8Array(128 + values.length * 4);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, 118, 0]);
  bytes.set(new TextEncoder().encode(`${header}\n`), 10);
  bytes.set(new Uint8Array(new Float32Array(values).buffer), 128);
  return bytes;
}

it("model in, smaller model out, with its report", async () => {
  const { call } = await newWorkspace();
  const file = await linearFile(128, 128);
  const answer = await call("/v1/quantize?method=weight_only", { body: file });
  expect(answer.status).toBe(200);
  expect(answer.bytes.length).toBeLessThan(file.length / 3);
  expect(answer.headers.get("Content-Disposition")).toBe('attachment; filename="model.int8.onnx"');
  const headline = JSON.parse(answer.headers.get("Hone-Report") ?? "");
  expect(headline).toMatchObject({
    operation: "quantize",
    method: "weight_only",
    bytes_before: file.length,
    bytes_after: answer.bytes.length,
    verified: true,
    changed: 1,
  });
  expect(headline.min_sqnr_db).toBeGreaterThan(30);
  const link = /^<(.+)>; rel="report"$/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "";
  const report = await call(link);
  expect(report.json).toMatchObject({
    object: "report",
    bytes_after: answer.bytes.length,
    changed: [{ name: "w", from: "float32", to: "int8" }],
    verification: { loaded: true, ran: true, outputs: [{ name: "y" }] },
  });
  expect((await call("/v1/models", { body: answer.bytes as Uint8Array<ArrayBuffer> })).status).toBe(
    201,
  );
});

it("without a method the best one is chosen, and the report says what was tried", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/quantize", { body: await linearFile(128, 128) });
  expect(answer.status).toBe(200);
  const report = await call(/<(.+)>/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "");
  expect(report.json.tried.length).toBeGreaterThan(0);
  expect(
    report.json.tried.filter(({ outcome }: { outcome: string }) => outcome === "chosen"),
  ).toHaveLength(1);
});

it("options arrive under their names", async () => {
  const { call } = await newWorkspace();
  const body = await linearFile(128, 128);
  const cases: [string, string][] = [
    ["method=dynamic&weight_type=quint8&per_channel=true", "model.int8.onnx"],
    [
      "method=weight_only&bits=4&block_size=32&is_symmetric=false&accuracy_level=4",
      "model.int4.onnx",
    ],
    ["method=float16&keep_io_types=true", "model.fp16.onnx"],
    ["dtype=q8", "model_quantized.onnx"],
    [
      "method=weight_only&nodes_to_quantize=fc&op_types_to_quantize=MatMul,Gemm&op_types_to_quantize=MatMul",
      "?",
    ],
  ];
  for (const [query, name] of cases) {
    const answer = await call(`/v1/quantize?${query}`, { body });
    if (name === "?") expect(answer.json).toMatchObject({ status: 422, code: "unknown_name" });
    else {
      expect([query, answer.status]).toEqual([query, 200]);
      expect(answer.headers.get("Content-Disposition")).toContain(`"${name}"`);
    }
  }
});

it("options that do not exist, do not fit or are not of their kind are refused with a list", async () => {
  const { call } = await newWorkspace();
  const body = new Uint8Array(10);
  const cases: [string, string, string, RegExp][] = [
    ["methd=dynamic", "unknown_option", "methd", /nearest: "method"/],
    ["method=dynamik", "invalid_request", "method", /dynamic/],
    ["method=weight_only&bits=3", "invalid_request", "bits", /./],
    ["method=weight_only&block_size=x", "invalid_request", "block_size", /number/],
    ["per_channel=maybe", "invalid_request", "per_channel", /boolean/],
    ["method=dynamic&bits=4", "invalid_request", "bits", /method=dynamic does not have/],
    ["method=dynamic&dtype=q8", "invalid_request", "method", /one of the two/],
    ["method=weight_only&bits=4&bits=8", "invalid_request", "bits", /./],
    ["min_cosine=2", "invalid_request", "min_cosine", /1/],
  ];
  for (const [query, code, path, message] of cases) {
    const { json } = await call(`/v1/quantize?${query}`, { body });
    expect([query, json.status, json.code, json.errors[0].path]).toEqual([query, 400, code, path]);
    expect(json.errors[0].message).toMatch(message);
  }
  expect((await call("/v1/prune?method=ln_structured&seed=1", { body })).json.code).toBe(
    "invalid_request",
  );
  expect((await call("/v1/prune?method=n_m&pattern=4", { body })).json.errors[0].path).toBe(
    "pattern",
  );
});

it("what has no good result is a 422 with the report", async () => {
  const { call } = await newWorkspace();
  const small = await call("/v1/quantize?method=weight_only", { body: await linearFile(2, 2) });
  expect(small.json).toMatchObject({ status: 422, code: "nothing_to_gain" });
  const strict = await call("/v1/quantize?method=weight_only&min_sqnr_db=90", {
    body: await linearFile(),
  });
  expect(strict.json).toMatchObject({
    status: 422,
    code: "not_close_enough",
    report: { object: "report", verification: { ran: true } },
  });
  const named = await call("/v1/quantize?method=dynamic&nodes_to_exclude=fcc", {
    body: await linearFile(),
  });
  expect(named.json).toMatchObject({
    status: 422,
    code: "unknown_name",
    detail: expect.stringContaining('"fc"'),
  });
});

it("bodies that are no model are refused as in /v1/models", async () => {
  const { call } = await newWorkspace();
  expect((await call("/v1/quantize", { method: "POST", body: "" })).json).toMatchObject({
    status: 400,
    code: "empty_body",
  });
  expect((await call("/v1/quantize", { method: "POST", body: "text" })).json).toMatchObject({
    status: 415,
    code: "not_onnx",
  });
  expect((await call("/v1/quantize", { json: { url: "https://example.com" } })).json).toMatchObject(
    {
      status: 415,
      code: "unsupported_media_type",
    },
  );
  const truncated = (await linearFile()).subarray(0, 9000);
  expect((await call("/v1/prune", { body: truncated })).json).toMatchObject({
    status: 422,
    code: "truncated",
  });
  const large = await call("/v1/quantize", {
    body: await linearFile(),
    env: { MAX_BODY_BYTES: "100" },
  });
  expect(large.json).toMatchObject({ status: 413, code: "body_too_large" });
});

it("a form brings external data and samples", async () => {
  const { call } = await newWorkspace();
  const { model, weights } = await linearWithExternalData("weights.bin");
  const form = (samples: Uint8Array) => {
    const data = new FormData();
    data.set("model", new File([model], "linear.onnx"));
    data.set("weights.bin", new File([weights], "weights.bin"));
    data.set("samples", new File([samples as Uint8Array<ArrayBuffer>], "samples.npz"));
    return data;
  };
  const x = npy(
    Array.from({ length: 128 }, (_, i) => Math.sin(i)),
    [2, 64],
  );
  const good = await call("/v1/quantize?method=weight_only", {
    body: form(zipSync({ "x.npy": x })),
  });
  expect(good.status).toBe(200);
  expect(good.headers.get("Content-Disposition")).toBe('attachment; filename="linear.int8.onnx"');
  const report = await call(/<(.+)>/.exec(good.headers.get("Link") ?? "")?.[1] ?? "");
  expect(report.json.verification.inputs).toContain("given");
  const wrong = await call("/v1/quantize", { body: form(zipSync({ "z.npy": x, "y.npy": x })) });
  expect(wrong.json).toMatchObject({ status: 422, code: "invalid_samples" });
  const broken = await call("/v1/quantize", { body: form(new Uint8Array([1, 2, 3])) });
  expect(broken.json).toMatchObject({ status: 422, code: "invalid_samples" });
});

it("prune keeps the asked share of zeros", async () => {
  const { call } = await newWorkspace();
  const body = await linearFile();
  const answer = await call("/v1/prune?method=l1_unstructured&amount=0.5", { body });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("Content-Disposition")).toBe(
    'attachment; filename="model.pruned.onnx"',
  );
  const options = [
    "method=n_m&pattern=2:4",
    "method=random_unstructured&amount=100&seed=7",
    "method=ln_structured&n=2&dim=0&amount=3",
    `amounts=${encodeURIComponent('{"w": 0.25}')}`,
  ];
  for (const query of options) {
    expect([query, (await call(`/v1/prune?${query}`, { body })).status]).toEqual([query, 200]);
  }
  const everything = await call("/v1/prune?amount=5000", { body });
  expect(everything.status).toBeLessThan(500);
});

it("reports belong to their workspace and expire", async () => {
  const { call } = await newWorkspace();
  expect((await call("/v1/reports/report_none")).json).toMatchObject({
    status: 404,
    code: "not_found",
  });
});
