/** @file ONNX Runtime inside workerd. */
import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";

import { type WasmRuntime, wasmRuntime } from "./wasm-runtime.ts";

const MIB = 1024 * 1024;
/** Loading takes 16 MiB and once the model's size; convolutions take more than that to run. The heap is kept for good. */
const MAX_HEAP_BYTES = 56 * MIB;
/** With some 10 MiB of JavaScript heap this keeps the isolate under 96 MB. */
const MAX_TOTAL_BYTES = 80 * MIB;
/** 2 × 32 MB and 16 MiB are the most that fits the total. */
const MAX_MODEL_BYTES = 32_000_000;

const runtime = wasmRuntime({
  name: "onnxruntime-web 1.30.0 wasm (workerd)",
  module: async () => ort,
  maxHeapBytes: MAX_HEAP_BYTES,
  maxTotalBytes: MAX_TOTAL_BYTES,
  maxModelBytes: MAX_MODEL_BYTES,
});

/** The isolate's one runtime: all requests and objects in it share its memory and take turns. */
export function edgeRuntime(): WasmRuntime {
  return runtime;
}
