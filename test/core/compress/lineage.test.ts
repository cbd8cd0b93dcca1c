/** @file What a model says of its making: each operation adds a step, and nothing else changes. */
import { beforeAll, expect, it } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import type { CompressEnvironment } from "../../../src/compress/types.ts";
import { addLineage, LINEAGE } from "../../../src/graph/lineage.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySink, MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { VERSION } from "../../../src/version.ts";
import { product } from "./models.ts";

let environment: CompressEnvironment;
beforeAll(async () => {
  environment = { kernels: await kernelModule(), runtime: await nodeRuntime() };
});

async function run(
  model: Uint8Array,
  operation: "quantize" | "prune",
  options: Record<string, unknown>,
  sha256?: string,
) {
  const source = { source: new MemorySource(model), ...(sha256 === undefined ? {} : { sha256 }) };
  const { report, files } = await compress(source, { operation, options }, environment);
  const sink = new MemorySink(files[0]?.byteLength ?? 0);
  await files[0]?.write(sink);
  return { report, bytes: sink.bytes };
}

async function metadataOf(bytes: Uint8Array): Promise<Record<string, string>> {
  const { metadata } = await readModel(new MemorySource(bytes));
  return Object.fromEntries(metadata.map(({ key, value }) => [key, value]));
}

async function steps(bytes: Uint8Array): Promise<unknown> {
  return JSON.parse((await metadataOf(bytes))[LINEAGE] ?? "null");
}

it("a result of a known file says how it was made, behind the bytes of one that is not known", async () => {
  const model = await product();
  const options = { method: "weight_only", bits: 4 };
  const plain = await run(model, "quantize", options);
  const known = await run(model, "quantize", options, "aa");
  expect(await steps(plain.bytes)).toBeNull();
  expect(known.bytes.slice(0, plain.bytes.length)).toEqual(plain.bytes);
  expect(await steps(known.bytes)).toEqual([
    { parent: "aa", operation: "quantize", options, hone: VERSION },
  ]);
  expect(known.report).toMatchObject({
    bytesAfter: known.bytes.length,
    ratio: known.report.bytesBefore / known.bytes.length,
  });
  const session = await (await nodeRuntime()).load(known.bytes);
  await session.release();
  const again = await run(model, "quantize", { bits: 4, method: "weight_only" }, "aa");
  expect(again.bytes).toEqual(known.bytes);
});

it("each operation adds its step, and takes part in no comparison of sizes", async () => {
  const pruned = await run(await product(), "prune", { amount: 0.5 }, "aa");
  const quantized = await run(pruned.bytes, "quantize", { method: "weight_only" }, "bb");
  expect(await steps(quantized.bytes)).toMatchObject([
    { parent: "aa", operation: "prune" },
    { parent: "bb", operation: "quantize" },
  ]);
  const model = await readModel(new MemorySource(await product()));
  model.metadata = [
    { key: "author", value: "someone" },
    { key: LINEAGE, value: "{not JSON" },
  ];
  for (let step = 0; step < 40; step++) {
    addLineage(model, { parent: String(step), operation: "train", options: {} });
  }
  const written = await modelBytes(model);
  expect((await metadataOf(written))["author"]).toBe("someone");
  const kept = (await steps(written)) as { parent: string }[];
  expect(kept.map(({ parent }) => parent)).toEqual(
    Array.from({ length: 32 }, (_, i) => `${i + 8}`),
  );
});
