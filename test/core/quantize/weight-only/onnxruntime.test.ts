import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { readAll } from "../../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import type { WeightOnlyOptions } from "../../../../src/quantize/weight-only.ts";
import { fingerprint } from "../dynamic/fingerprint.ts";
import { feeds, nativeOutputs, quantized, sqnr, wasmOutputs } from "./running.ts";
import { floatTwin } from "./twin.ts";

interface Case {
  source: string;
  target: string;
  options: WeightOnlyOptions;
}

const folder = "test/goldens/weight-only/";
const cases = JSON.parse(readFileSync(`${folder}cases.json`, "utf8")) as Case[];
const golden = async (name: string): Promise<Model> =>
  await readModel(new MemorySource(new Uint8Array(readFileSync(folder + name))));
const bytesOf = async (model: Model, name: string): Promise<Uint8Array> => {
  const tensor = model.graph.initializers.get(name);
  if (!tensor) throw new Error(`no initializer "${name}"`);
  return await readAll(tensor.data);
};
const title = ({ source, options }: Case): string => `${source} ${JSON.stringify(options)}`;

const titled = cases.map((each) => ({ ...each, title: title(each) }));
const isFitted = ({ options }: Case): boolean => options.algorithm === "hqq";

test.each(titled.filter((each) => !isFitted(each)))(
  "codes, scales, zero points and graph are onnxruntime's: $title",
  async ({ source, target, options }) => {
    const { model, report } = await quantized(await golden(source), options);
    expect(report.kept).toEqual([]);
    expect(await fingerprint(model.graph)).toEqual(await fingerprint((await golden(target)).graph));
  },
);

test.each(titled.filter(isFitted))(
  "codes are onnxruntime's, scales and zero points up to rounding: $title",
  async ({ source, target, options }) => {
    const { model } = await quantized(await golden(source), options);
    const expected = await golden(target);
    const own = model.graph.initializers;
    expect([...own.keys()].sort()).toEqual([...expected.graph.initializers.keys()].sort());
    for (const [name, tensor] of expected.graph.initializers) {
      expect([own.get(name)?.dataType, own.get(name)?.dims]).toEqual([
        tensor.dataType,
        tensor.dims,
      ]);
      if (tensor.dataType === DataType.uint8) {
        expect(await bytesOf(model, name), name).toEqual(await bytesOf(expected, name));
        continue;
      }
      const floats = new Float32Array((await bytesOf(model, name)).slice().buffer);
      const others = new Float32Array((await bytesOf(expected, name)).slice().buffer);
      for (const [i, value] of others.entries()) {
        const difference = Math.abs((floats[i] ?? NaN) - value);
        expect(difference).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value)));
      }
    }
  },
);

test.each(titled)(
  "ONNX Runtime computes with the values that the codes stand for: $title",
  async ({ source, options }) => {
    const original = await golden(source);
    const { model, bytes } = await quantized(original, options);
    const inputs = feeds(model);
    const expected = await wasmOutputs(await modelBytes(await floatTwin(model)), inputs);
    const actual = await wasmOutputs(bytes, inputs);
    expect(sqnr(expected, actual)).toBeGreaterThan(100);
    // native kernels may round activations to 8 bits
    expect(sqnr(expected, await nativeOutputs(bytes, inputs))).toBeGreaterThan(35);
    const exact = await wasmOutputs(await modelBytes(original), inputs);
    const least = { 2: 1, 4: 10, 8: 38 }[options.bits ?? 4];
    expect(sqnr(exact, actual)).toBeGreaterThan(least ?? Infinity);
  },
);
