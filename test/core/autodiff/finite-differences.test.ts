/**
 * @file The rules against central differences in float64: a second opinion that knows nothing of torch.
 * The golden cases are run in double precision, as far as ONNX Runtime has kernels for it.
 */
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor, Session } from "../../../src/runtime/runtime.ts";
import { float32s, type GradientCase, readCases, runtimes, unpack } from "./running.ts";

/** Not smooth there (ties, zeros), straight through on purpose, or (Shrink) computed in float32 within. */
const NOT_SMOOTH = /ties|zero|Quantize|Dropout|bounds that have|Shrink/;
const STEP = 1e-6;
/** Of the largest element: truncation and rounding of the differences. */
const TOLERANCE = 2e-7;

const cases = readCases("rules.json").filter(({ name }) => !NOT_SMOOTH.test(name));

const toDouble = (values: Float32Array): Uint8Array =>
  new Uint8Array(Float64Array.from(values).buffer);

/** loss = Σ y·cotangent, all floats in double precision. */
async function doubleModel(golden: GradientCase): Promise<Model> {
  const source = new MemorySource(new Uint8Array(Buffer.from(golden.model, "base64")));
  const model = await normalise(await readModel(source));
  const { graph } = model;
  for (const { type } of [...graph.inputs, ...graph.outputs]) {
    if (type?.kind === "tensor" && type.elementType === 1) type.elementType = DataType.float64;
  }
  for (const [name, tensor] of graph.initializers) {
    if (tensor.dataType !== DataType.float32) continue;
    const bytes = toDouble(new Float32Array((await readAll(tensor.data)).slice().buffer));
    graph.initializers.set(name, makeTensor(name, DataType.float64, tensor.dims, bytes));
  }
  const cotangent = toDouble(float32s(unpack(golden.cotangent)));
  graph.initializers.set(
    "cotangent",
    makeTensor("cotangent", DataType.float64, golden.cotangent.dims, cotangent),
  );
  graph.nodes.push(
    makeNode("Mul", [golden.output, "cotangent"], ["weighted"]),
    makeNode("ReduceSum", ["weighted"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
  );
  graph.outputs = [{ name: "loss", type: { kind: "tensor", elementType: 11, shape: [] } }];
  return model;
}

const doubles = (tensor: HostTensor | undefined): Float64Array =>
  new Float64Array(tensor?.bytes.slice().buffer ?? new ArrayBuffer());

/** `undefined` when ONNX Runtime has no kernel for one of the ops in double precision. */
async function load(model: Model): Promise<Session | undefined> {
  try {
    return await runtimes.native.load(await modelBytes(model));
  } catch (error) {
    expect(String(error)).toMatch(
      /Could not find an implementation|Failed to find kernel|Type Error/,
    );
    return undefined;
  }
}

async function differences(
  session: Session,
  feeds: Record<string, HostTensor>,
  name: string,
): Promise<number[]> {
  const [tensor, values] = [feeds[name] as HostTensor, doubles(feeds[name])];
  const lossAt = async (index: number, value: number): Promise<number> => {
    const moved = values.slice();
    moved[index] = value;
    const bytes = new Uint8Array(moved.buffer);
    const { loss } = await session.run({ ...feeds, [name]: { ...tensor, bytes } });
    return doubles(loss)[0] ?? Number.NaN;
  };
  const slopes: number[] = [];
  for (const [index, value] of values.entries()) {
    const rise = (await lossAt(index, value + STEP)) - (await lossAt(index, value - STEP));
    slopes.push(rise / (2 * STEP));
  }
  return slopes;
}

/** @returns false when ONNX Runtime cannot run the case in double precision */
async function check(golden: GradientCase): Promise<boolean> {
  const model = await doubleModel(golden);
  const parameters = Object.keys(golden.gradients);
  const { model: result, gradients } = await differentiate(model, { loss: "loss", parameters });
  const [forward, backward] = [await load(model), await load(result)];
  if (forward && backward) {
    const feeds = Object.fromEntries(
      Object.entries(golden.inputs).map(([name, packed]): [string, HostTensor] => {
        const tensor = unpack(packed);
        if (tensor.dataType !== DataType.float32) return [name, tensor];
        return [name, { ...tensor, dataType: 11, bytes: toDouble(float32s(tensor)) }];
      }),
    );
    const outputs = await backward.run(feeds);
    for (const name of parameters) {
      const slopes = await differences(forward, feeds, name);
      const got = doubles(outputs[gradients.get(name) ?? ""]);
      const largest = Math.max(...slopes.map(Math.abs));
      slopes.forEach((slope, i) => {
        expect(Math.abs(slope - (got[i] ?? Number.NaN)), `${golden.name}: ${name}`).toBeLessThan(
          TOLERANCE * Math.max(largest, 1),
        );
      });
    }
  }
  await Promise.all([forward?.release(), backward?.release()]);
  return Boolean(forward && backward);
}

test("the gradients are the slopes of the loss in float64", async () => {
  let count = 0;
  const without: string[] = [];
  for (const golden of cases) {
    if (await check(golden)) count++;
    else without.push(golden.name);
  }
  // What ONNX Runtime has no double kernels for is told apart from what was compared.
  expect(count, without.join("; ")).toBeGreaterThan(130);
});
