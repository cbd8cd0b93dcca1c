/** @file What this machine computes with: CUDA, WebGPU, the native CPU build, whichever there are. */
import { existsSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeRuntime } from "../runtime/native.ts";
import { nodeGpuRuntime } from "../runtime/webgpu-node.ts";
import type { Device } from "./device.ts";
import { BACKENDS, type Backend, type RunnerInfo } from "./protocol.ts";
import { PERFORMED } from "./perform.ts";

export interface NodeDevices {
  devices: Device[];
  info: RunnerInfo;
  close(): void;
}

export interface NodeDeviceOptions {
  /** Default: all that this machine has. */
  backends?: readonly Backend[];
  name: string;
  /** Dawn's own switches, e.g. `enable-dawn-features=…`. */
  dawn?: string[];
}

/** @throws Error when none of the wanted back ends is there, with why */
export async function nodeDevices(options: NodeDeviceOptions): Promise<NodeDevices> {
  const wanted = options.backends ?? BACKENDS;
  const found: Device[] = [];
  const missing: string[] = [];
  const cores = `${availableParallelism()} cores, ${cpus()[0]?.model ?? "CPU"}`;
  if (wanted.includes("cuda")) {
    if (hasCuda())
      found.push({ backend: "cuda", name: "CUDA", runtime: nativeRuntime(0, "all", "cuda") });
    else missing.push("cuda: onnxruntime-node was installed without it");
  }
  const gpu = wanted.includes("webgpu")
    ? await nodeGpuRuntime({ dawn: options.dawn ?? [] }).catch((error: unknown) => {
        missing.push(`webgpu: ${String(error)}`);
        return undefined;
      })
    : undefined;
  if (gpu) {
    const { vendor, architecture, description } = gpu.adapter;
    const name = [vendor, architecture, description].filter(Boolean).join(" ");
    found.push({ backend: "webgpu", name, runtime: gpu.runtime });
  } else if (wanted.includes("webgpu")) missing.push("webgpu: no adapter");
  if (wanted.includes("cpu")) {
    found.push({ backend: "cpu", name: cores, runtime: nativeRuntime(0) });
  }
  const [first] = found;
  if (!first) throw new Error(`no back end: ${missing.join("; ")}`);
  return {
    devices: found,
    info: {
      name: options.name,
      platform: `Node ${process.version} on ${process.platform} ${process.arch}`,
      runtime: first.runtime.name,
      backends: found.map(({ backend }) => backend) as [Backend, ...Backend[]],
      kinds: PERFORMED,
      adapter: gpu?.adapter ?? null,
      max_model_bytes: Math.min(...found.map(({ runtime }) => runtime.maxModelBytes)),
    },
    close: () => gpu?.close(),
  };
}

/** CUDA's provider is installed apart (onnxruntime-node's install script); without its library, asking for it logs errors. */
function hasCuda(): boolean {
  const entry = fileURLToPath(import.meta.resolve("onnxruntime-node"));
  const folder = join(dirname(entry), "../bin/napi-v6", process.platform, process.arch);
  return existsSync(join(folder, "libonnxruntime_providers_cuda.so"));
}
