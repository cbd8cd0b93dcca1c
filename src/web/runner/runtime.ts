/** @file ONNX Runtime in a page or its Web Worker: WebGPU where there is an adapter and JSPI, else WebAssembly. */
import { type Api, apiRuntime } from "../../runtime/api-runtime.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type GpuRuntime, gpuRuntime, type OrtWeb } from "../../runtime/webgpu.ts";

/** Where the service serves onnxruntime-web's files from. */
const PLACE = "/ort/";
const MAX_WASM_MODEL_BYTES = 1_000_000_000;

type OrtFile = OrtWeb & { env: { wasm: { wasmPaths?: string } } };

/** @returns `undefined` without an adapter, or where the browser cannot wait inside WebAssembly (JSPI) */
export async function browserGpuRuntime(strict = false): Promise<GpuRuntime | undefined> {
  const { gpu } = navigator as Navigator & { gpu?: GPU };
  if (!gpu || !("Suspending" in WebAssembly)) return undefined;
  return await gpuRuntime(gpu, await load("ort.jspi.min.mjs"), { strict });
}

/** The CPU, by WebAssembly with one thread: pages here are not isolated for more. */
export async function browserWasmRuntime(): Promise<Runtime> {
  const ort: Api & OrtFile = await load("ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  return apiRuntime(ort, {
    name: "onnxruntime-web 1.30.0 wasm",
    maxModelBytes: MAX_WASM_MODEL_BYTES,
    session: { executionProviders: ["wasm"] },
  });
}

async function load(file: string): Promise<OrtFile> {
  const ort = (await import(PLACE + file)) as OrtFile;
  ort.env.wasm.wasmPaths = new URL(PLACE, location.origin).href;
  return ort;
}
