/**
 * @file ONNX Runtime on WebGPU: the same build of onnxruntime-web in a page and in Node.
 *
 * The build that waits by JSPI where there is that, else the larger one by asyncify; never the package's default
 * import, whose WebGPU back end is an older one with wrong results.
 */
import type { Api } from "./api-runtime.ts";
import { apiRuntime } from "./api-runtime.ts";
import type { ResidentRuntime } from "./resident.ts";

/** A 32-bit heap holds a model about twice while it loads. */
const MAX_MODEL_BYTES = 1_500_000_000;
/** What models may need beyond the defaults, as far as the adapter has it. */
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
] as const;
const WANTED_FEATURES = ["shader-f16", "subgroups", "timestamp-query"] as const;

export interface OrtWeb extends Api {
  env: { logLevel?: string; wasm: { numThreads?: number } };
}

export interface GpuRuntime {
  runtime: ResidentRuntime;
  ort: OrtWeb;
  device: GPUDevice;
  adapter: {
    vendor: string;
    architecture: string;
    description: string;
    features: string[];
    max_buffer_bytes: number;
  };
  /** Ends the device; sessions on it fail from then on. */
  close(): void;
}

/**
 * @param ort onnxruntime-web's `jspi` or `webgpu` build, with its wasm's place set
 * @param strict refuses models with nodes that would run on the CPU
 * @returns `undefined` where there is no adapter
 */
export async function gpuRuntime(
  gpu: GPU | undefined,
  ort: OrtWeb,
  { strict = false }: { strict?: boolean } = {},
): Promise<GpuRuntime | undefined> {
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const device = await adapter.requestDevice({
    requiredFeatures: WANTED_FEATURES.filter((feature) =>
      adapter.features.has(feature),
    ) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const { vendor, architecture, description } = adapter.info;
  return {
    runtime: apiRuntime(ort, {
      name: "onnxruntime-web 1.30.0 webgpu",
      maxModelBytes: MAX_MODEL_BYTES,
      device,
      session: {
        // The device goes here: what is set on `env.webgpu` has no effect.
        executionProviders: [{ name: "webgpu", device } as never],
        ...(strict ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {}),
      },
    }),
    ort,
    device,
    adapter: {
      vendor,
      architecture,
      description,
      features: [...device.features].map(String),
      max_buffer_bytes: device.limits.maxBufferSize,
    },
    close: () => device.destroy(),
  };
}
