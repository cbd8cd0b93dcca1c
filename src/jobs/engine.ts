/** @file The compression engine with what it needs here: kernels, ONNX Runtime, a turn. */
import type { CompressRequest, Compressed, ModelInput } from "../compress/types.ts";
import { ApiError } from "../problem/api-error.ts";
import { decodeSamples } from "../verify/samples.ts";
import { inspectModel } from "./inspect-model.ts";

/** Beside ONNX Runtime's heap, which is kept, and the bytes that come and go: together the isolate stays below 96 MB. */
export const ARENA_BYTES = 12 << 20;

export interface CompressionOptions {
  /** An .npz of inputs to verify with. */
  samples?: Uint8Array | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((fraction: number, doing: string) => void) | undefined;
}

/**
 * Compresses up to the point where the result can be written; call it, and write, within one turn (`inTurn`).
 * Engine, kernels and ONNX Runtime are loaded when first needed, so that everything else starts fast.
 * @throws ApiError for options and samples that do not fit the model; else what `compress` throws
 */
export async function startCompression(
  input: ModelInput,
  request: CompressRequest,
  { samples, signal, onProgress }: CompressionOptions,
): Promise<Compressed> {
  const [{ compress }, { default: kernels }, { edgeRuntime }] = await Promise.all([
    import("../compress/compress.ts"),
    import("../kernels/kernels.wasm"),
    import("../runtime/edge.ts"),
  ]);
  const decoded = samples && (await sampleInputs(input, samples));
  const environment = {
    kernels,
    runtime: edgeRuntime(),
    arenaBytes: ARENA_BYTES,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  };
  try {
    return await compress(input, request, environment, decoded);
  } catch (error) {
    throw optionError(error) ?? error;
  }
}

async function sampleInputs(input: ModelInput, samples: Uint8Array) {
  const { model } = await inspectModel(input);
  try {
    return decodeSamples(samples, model);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ApiError("invalid_samples", error.message);
  }
}

/** The passes check their options against each other and the model, and say so under their name. */
function optionError(error: unknown): ApiError | undefined {
  const mine =
    error instanceof Error &&
    error.name === "RangeError" &&
    /^(quantize|prune|simplify): /.test(error.message);
  return mine ? new ApiError("invalid_request", error.message) : undefined;
}
