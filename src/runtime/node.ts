/** @file ONNX Runtime in plain Node: the same WebAssembly as at the edge, with more memory. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import type { Runtime } from "./runtime.ts";
import { wasmRuntime } from "./wasm-runtime.ts";

const MAX_HEAP_BYTES = 2 ** 32 - 65536;
/** What a 32-bit heap holds, given about two copies while loading. */
const MAX_MODEL_BYTES = 1_500_000_000;

export async function nodeRuntime(): Promise<Runtime> {
  const file = fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const compiled = await WebAssembly.compile(await readFile(file));
  return wasmRuntime({
    name: "onnxruntime-web 1.30.0 wasm (node)",
    module: async () => compiled,
    maxHeapBytes: MAX_HEAP_BYTES,
    maxTotalBytes: Infinity,
    maxModelBytes: MAX_MODEL_BYTES,
  });
}
