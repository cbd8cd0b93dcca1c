/** @file ONNX Runtime's native build for Node: the fast one on CPUs, and CUDA where its libraries are installed. */
import * as ort from "onnxruntime-node";
import { apiRuntime } from "./api-runtime.ts";
import type { ResidentRuntime } from "./resident.ts";

const MAX_MODEL_BYTES = 2 ** 31;

/**
 * @param threads of one operator; 0 for as many as there are cores
 * @param graphOptimizationLevel `disabled`: each node by itself, nothing fused
 */
export function nativeRuntime(
  threads = 1,
  graphOptimizationLevel: "all" | "disabled" = "all",
  executionProvider: "cpu" | "cuda" = "cpu",
): ResidentRuntime {
  return apiRuntime(ort, {
    name: `onnxruntime-node ${ort.env.versions.node ?? ""} ${executionProvider}`,
    maxModelBytes: MAX_MODEL_BYTES,
    session: {
      executionProviders: [executionProvider],
      logSeverityLevel: 4,
      intraOpNumThreads: threads,
      graphOptimizationLevel,
    },
  });
}
