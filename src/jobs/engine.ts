/** @file The compression engine with what it needs here: kernels, ONNX Runtime, a turn. */
import type { CalibrationInputs } from "../calibrate/inputs.ts";
import { MAX_SAMPLES } from "../calibrate/settings.ts";
import type { CompressRequest, Compressed, ModelInput, Samples } from "../compress/types.ts";
import { ApiError } from "../problem/api-error.ts";
import { decodeSamples, VERIFIED_SAMPLES } from "../verify/samples.ts";
import type { PreparedCalibration } from "./calibrate/prepare.ts";
import { optionError } from "../problem/option-error.ts";
import { inspectModel } from "./inspect-model.ts";

/** Beside ONNX Runtime's heap, which is kept, and the bytes that come and go: together the isolate stays below 96 MB. */
export const ARENA_BYTES = 12 << 20;

export interface CompressionOptions {
  /** An .npz of inputs to verify with, and to calibrate with where no dataset is given for that. */
  samples?: Uint8Array | undefined;
  /** What static quantization is given for its ranges. */
  calibration?: PreparedCalibration | undefined;
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
  { samples, calibration, signal, onProgress }: CompressionOptions,
): Promise<Compressed> {
  const [{ compress }, { givenInputs }, { default: kernels }, { edgeRuntime }] = await Promise.all([
    import("../compress/compress.ts"),
    import("../calibrate/inputs.ts"),
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
    ...calibration,
    ...(decoded && !calibration?.calibrationInputs
      ? { calibrationInputs: givenInputs(decoded) }
      : {}),
  };
  try {
    const rows = calibration?.calibrationInputs;
    const verified = decoded?.slice(0, VERIFIED_SAMPLES) ?? (rows && (await firstOf(rows)));
    return await compress(input, request, environment, verified);
  } catch (error) {
    throw optionError(error) ?? error;
  }
}

/** What results are run on, of what they were calibrated with. */
async function firstOf(inputs: CalibrationInputs): Promise<Samples> {
  const first: Samples = [];
  for await (const feeds of inputs.each(0)) if (first.push(feeds) === VERIFIED_SAMPLES) break;
  return first;
}

async function sampleInputs(input: ModelInput, samples: Uint8Array) {
  const { model } = await inspectModel(input);
  try {
    return decodeSamples(samples, model, MAX_SAMPLES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ApiError("invalid_samples", error.message);
  }
}
