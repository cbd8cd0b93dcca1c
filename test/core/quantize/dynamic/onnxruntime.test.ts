import { readFileSync } from "node:fs";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { checkModel } from "../../../../src/graph/check.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { OPERATORS } from "../../../../src/compress/operator-table.ts";
import { type DynamicOptions, quantizeDynamic } from "../../../../src/quantize/dynamic.ts";
import { fingerprint } from "./fingerprint.ts";

interface Case {
  source: string;
  target: string;
  options: DynamicOptions;
}

const folder = "test/goldens/dynamic/";
const cases = JSON.parse(readFileSync(`${folder}cases.json`, "utf8")) as Case[];
const arena = await Arena.create(await kernelModule(), 24 << 20);

const golden = (name: string) => new Uint8Array(readFileSync(folder + name));
const parse = (bytes: Uint8Array) => readModel(new MemorySource(bytes));

/** Small numbers for every input: ids, masks and lengths stay in range. */
function feeds(model: Model): Record<string, OrtTensor> {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      if (type?.kind !== "tensor") throw new TypeError(`input ${name}`);
      const dims = (type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : 3));
      const count = dims.reduce((a, b) => a * b, 1);
      const values = Array.from({ length: count }, (_, i) => ((i * 7919) % 200) / 100 - 1);
      const ids = values.map((x) => (x > 0 ? 1 : 0));
      if (type.elementType === 7) return [name, new OrtTensor("int64", ids.map(BigInt), dims)];
      if (type.elementType === 6) return [name, new OrtTensor("int32", ids, dims)];
      return [name, new OrtTensor("float32", Float32Array.from(values), dims)];
    }),
  );
}

async function outputsOf(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results = await session.run(feeds(await parse(bytes)));
  const found = session.outputNames.map((name) => [
    name,
    Array.from(results[name]?.data ?? [], Number),
  ]);
  await session.release();
  return Object.fromEntries(found);
}

describe("the graph, weights, scales and zero points are onnxruntime's", () => {
  test.each(cases)("$source $options", async ({ source, target, options }) => {
    const model = await parse(golden(source));
    const report = await quantizeDynamic(model, options, arena);
    const theirs = await parse(golden(target));
    expect(await fingerprint(model.graph)).toEqual(await fingerprint(theirs.graph));
    expect(model.opsetImports.toSorted((a, b) => (a.domain < b.domain ? -1 : 1))).toEqual(
      theirs.opsetImports.toSorted((a, b) => (a.domain < b.domain ? -1 : 1)),
    );

    const bytes = await modelBytes(model);
    const written = await parse(bytes);
    checkModel(written, OPERATORS);
    expect(await fingerprint(written.graph)).toEqual(await fingerprint(theirs.graph));
    const [mine, reference] = [await outputsOf(bytes), await outputsOf(golden(target))];
    expect(mine).toEqual(reference);
    expect(
      Object.values(mine)
        .flat()
        .some((value) => value !== 0),
    ).toBe(true);
    expect(report.changed.length).toBeGreaterThan(0);
    for (const change of report.changed) expect(change.sqnrDb).toBeGreaterThan(20);
  });
});
