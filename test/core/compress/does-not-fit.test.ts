import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import { makeNode } from "../../../src/graph/build.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { wasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import { chain } from "../runtime/models.ts";
import { bytesOf, weights } from "./models.ts";

const WASM = `${import.meta.dirname}/../../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm`;

it("a model of too many nodes to load is not run, and the report says so", async () => {
  const nodes = Array.from({ length: 7000 }, (_, i) =>
    makeNode("Abs", [i === 0 ? "p" : `a${i - 1}`], [i === 6999 ? "y" : `a${i}`]),
  );
  nodes.unshift(makeNode("MatMul", ["x", "w"], ["p"]));
  const { report } = await compress(
    { source: new MemorySource(await bytesOf(nodes, [weights("w", 64, 64)])) },
    { operation: "prune", options: { method: "l1_unstructured", amount: 0.5 } },
    { kernels: await kernelModule(), runtime: await nodeRuntime() },
  );
  expect(report.verification).toMatchObject({ loaded: false, runtime: null });
  expect(report.verification.reason).toContain("the model has 7001 nodes");
});

it.each(["auto", "float16"])(
  "%s: a result that ONNX Runtime has no room for is handed out, and the report says that it was not run",
  async (method) => {
    const compiled = await WebAssembly.compile(readFileSync(WASM));
    const runtime = wasmRuntime({
      name: "small",
      module: async () => compiled,
      maxHeapBytes: 18 << 20,
      maxTotalBytes: Infinity,
      maxModelBytes: 1e9,
    });
    const { report, files } = await compress(
      { source: new MemorySource(await chain(6, 1100)) },
      { operation: "quantize", options: { method } },
      { kernels: await kernelModule(), runtime },
    );
    expect(files[0]?.byteLength).toBe(report.bytesAfter);
    expect(report.verification).toMatchObject({ loaded: false, ran: false, runtime: null });
    expect(report.verification.reason).toContain("the result was not run: the model does not fit");
  },
);
