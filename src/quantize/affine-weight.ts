/**
 * @file A float32 weight as 8-bit integers: ranges read at once, quantized bytes lazy.
 *
 * Arithmetic of onnxruntime 1.30's `quant_utils.compute_scale_zp` and `quantize_data`, bit for bit.
 */
import type { Arena } from "../kernels/arena.ts";
import type { Tensor } from "../onnx/model.ts";
import type { TensorData } from "../onnx/tensor-data.ts";

export interface AffineOptions {
  type: "int8" | "uint8";
  symmetric: boolean;
  /** int8 ±64, uint8 0…127: room for the 16-bit accumulators of old CPUs. */
  reduceRange: boolean;
  /** One scale per index of this axis (of the value, after `permutation`); absent: one for the tensor. */
  axis?: number;
  /** Quantize the transposed tensor (rank 2: [1, 0]), e.g. a Gemm's transB weight. */
  permutation?: readonly number[];
  /** Σx² and Σ(x − x̂)², called once the bytes have been written. */
  onError?: (signal: number, error: number) => void;
}

export interface AffineWeight {
  /** Dims of the quantized tensor (after `permutation`). */
  dims: number[];
  /** The int8 / uint8 codes, computed when they are streamed. */
  data: TensorData;
  /** One element, or one per index of `axis`. */
  scale: Float32Array;
  zeroPoint: Int8Array | Uint8Array;
}

/**
 * Reads the weight's ranges and returns its quantized form.
 * @returns `undefined` when the weight holds NaN or Inf (it has to stay float)
 * @throws TypeError when the tensor is not float32
 */
export async function affineWeight(
  _tensor: Tensor,
  _options: AffineOptions,
  _arena: Arena,
): Promise<AffineWeight | undefined> {
  throw new Error("quantize: affineWeight is being written");
}
