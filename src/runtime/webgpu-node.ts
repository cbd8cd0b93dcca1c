/** @file WebGPU in Node: Dawn (npm `webgpu`) under onnxruntime-web's build for pages. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type GpuRuntime, gpuRuntime, type OrtWeb } from "./webgpu.ts";

/** @returns `undefined` where this machine has no adapter, or no driver for one */
export async function nodeGpuRuntime(
  options: { strict?: boolean; dawn?: string[] } = {},
): Promise<GpuRuntime | undefined> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(options.dawn ?? []);
  // onnxruntime-web looks for it there.
  const { navigator } = globalThis as unknown as { navigator: object };
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  const forget = () => Reflect.deleteProperty(navigator, "gpu");
  try {
    const opened = await gpuRuntime(gpu, await loadOrt(), options);
    if (!opened) forget();
    return opened && { ...opened, close: () => (opened.close(), forget()) };
  } catch (error) {
    forget();
    throw error;
  }
}

/** The package's export for Node has no WebGPU: the build for pages, by its path, with its wasm read from disk. */
async function loadOrt(): Promise<OrtWeb> {
  const wasm = fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const dist = dirname(wasm);
  const place = (name: string) => pathToFileURL(join(dist, name)).href;
  const ort = (await import(place("ort.jspi.min.mjs"))) as OrtWeb & {
    env: { wasm: { wasmPaths?: object; wasmBinary?: Uint8Array } };
  };
  ort.env.wasm.wasmPaths = { mjs: place("ort-wasm-simd-threaded.jspi.mjs") };
  ort.env.wasm.wasmBinary = await readFile(join(dist, "ort-wasm-simd-threaded.jspi.wasm"));
  return ort;
}
