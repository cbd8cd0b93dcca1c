/**
 * @file A float weight as 8-bit integers: ranges read at once, quantized bytes lazy.
 *
 * Arithmetic of onnxruntime 1.30's `quant_utils.compute_scale_zp` and `quantize_data`, bit for bit.
 */
import type { Arena } from "../kernels/arena.ts";
import type { WeightChunks } from "../kernels/weight-chunks.ts";
import type { Tensor } from "../onnx/model.ts";
import { BytesData, ComputedData, type TensorData } from "../onnx/tensor-data.ts";
import type { AffineType } from "./affine.ts";
import { streamCodes } from "./affine-codes.ts";
import { type AffineLayout, affineLayout } from "./affine-layout.ts";
import { affineScales } from "./affine-ranges.ts";
import { type FiniteCheck, NonFiniteWeightError } from "./finite.ts";

interface CodeOptions {
  type: AffineType;
  symmetric: boolean;
  /** int8 ±64, uint8 0…127: room for the 16-bit accumulators of old CPUs. */
  reduceRange: boolean;
  /** When the ranges are found (default "before"). */
  check?: FiniteCheck;
  /** Σx² and Σ(x − x̂)², called each time the bytes have been written. */
  onError?: (signal: number, error: number) => void;
}

export interface AffineOptions extends CodeOptions {
  /** One scale per index of this axis (of the value, after `permutation`); absent: one for the tensor. */
  axis?: number;
  /** Quantize the transposed tensor (as ONNX's `perm`), e.g. [1, 0] for a Gemm's transB weight. */
  permutation?: readonly number[];
}

export interface AffineWeight {
  /** Dims of the quantized tensor (after `permutation`). */
  dims: number[];
  /** The int8 / uint8 codes, computed when they are streamed. */
  data: TensorData;
  /** One element, or one per index of `axis`; float16 numbers for a float16 weight. */
  scale: Float32Array;
  zeroPoint: Int8Array | Uint8Array;
  /** Where ranges are found while writing: scale and zero point hold zeros until this has resolved. */
  ready?: () => Promise<void>;
}

/** Bytes of a weight's scales or zero points, as a tensor holds them. */
export function parameterData(
  { ready }: Pick<AffineWeight, "ready">,
  byteLength: number,
  bytes: () => ArrayBufferView,
): TensorData {
  const now = (): Uint8Array => {
    const { buffer, byteOffset, byteLength: length } = bytes();
    return new Uint8Array(buffer, byteOffset, length);
  };
  if (!ready) return new BytesData(now());
  return new ComputedData(byteLength, async (sink) => {
    await ready();
    await sink.write(now());
  });
}

/**
 * Reads the weight's ranges (or leaves that for when it is written) and returns its quantized form. Memory stays bounded by the arena whatever
 * the weight's size; a permutation other than transposed matrices needs room for all codes.
 * @returns `undefined` when a scale would not be finite: the weight holds NaN or Inf, or its range
 * overflows (it has to stay float)
 * @throws TypeError when the tensor is not float32 or float16
 * @throws RangeError when axis or permutation do not fit the rank
 */
export async function affineWeight(
  tensor: Tensor,
  options: AffineOptions,
  arena: Arena,
): Promise<AffineWeight | undefined> {
  const { permutation } = options;
  const layout = affineLayout(tensor.dims, options.axis, permutation);
  const coded = await affineCodes(tensor, layout, options, arena);
  if (!coded) return undefined;
  const dims = permutation ? permutation.map((axis) => tensor.dims[axis] ?? 1) : [...tensor.dims];
  return { dims, ...coded };
}

/** The same for a layout of one's own, where channels are not the indices of one axis (LSTM's gates of both directions). */
export async function affineCodes(
  tensor: Tensor,
  layout: AffineLayout,
  options: CodeOptions,
  arena: Arena,
): Promise<Omit<AffineWeight, "dims"> | undefined> {
  if (options.check === "while_writing") return codesFoundLate(tensor, layout, options, arena);
  const scales = await affineScales(tensor, layout, options, arena);
  if (!scales) return undefined;
  const { onError } = options;
  const data = new ComputedData(layout.count, async (sink) => {
    const sums = await streamCodes(tensor, layout, scales, arena, sink, onError !== undefined);
    onError?.(...sums);
  });
  return { data, ...scales };
}

/** Scales are found by whatever is written first, the codes as a rule. */
function codesFoundLate(
  tensor: Tensor,
  layout: AffineLayout,
  options: CodeOptions,
  arena: Arena,
): Omit<AffineWeight, "dims"> {
  const { onError, type } = options;
  const scale = new Float32Array(layout.channels);
  const zeroPoint =
    type === "int8" ? new Int8Array(layout.channels) : new Uint8Array(layout.channels);
  const weight = { scale, zeroPoint };
  let found = false;
  const find = async (chunks?: WeightChunks): Promise<typeof weight> => {
    if (found) return weight;
    const scales = await affineScales(tensor, layout, options, arena, chunks);
    if (!scales) throw new NonFiniteWeightError(tensor.name);
    scale.set(scales.scale);
    zeroPoint.set(scales.zeroPoint);
    found = true;
    return weight;
  };
  const data = new ComputedData(layout.count, async (sink) => {
    const scales = found ? weight : find;
    const sums = await streamCodes(tensor, layout, scales, arena, sink, onError !== undefined);
    onError?.(...sums);
  });
  const ready = async (): Promise<void> => void (await find());
  return { data, scale, zeroPoint, ready };
}
