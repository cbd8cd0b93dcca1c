/**
 * @file Affine quantization, element by element: saturate(rint(float32(x / scale)) + zeroPoint).
 *
 * As `quantize_nparray` of onnxruntime.quantization.quant_utils and ONNX's QuantizeLinear: a true float32
 * division, halves to even, the zero point added after rounding. NaN gives the type's least value.
 */
import { clamp, halfToEven } from "./rounding.ts";

type Codes = Int8Array | Uint8Array | Int16Array | Uint16Array;

/** Quantizes into `out`, whose type says where to saturate. */
export function quantize(x: Float32Array, out: Codes, scale: number, zeroPoint: number): void {
  for (const [i, v] of x.entries()) out[i] = code(v, scale, zeroPoint, out);
}

/** Quantizes a row-major matrix with a scale and a zero point per column. */
export function quantizeColumns(
  x: Float32Array,
  cols: number,
  out: Codes,
  scale: Float32Array,
  zeroPoint: Codes,
): void {
  for (const [i, v] of x.entries()) {
    out[i] = code(v, scale[i % cols] ?? 1, zeroPoint[i % cols] ?? 0, out);
  }
}

function code(x: number, scale: number, zeroPoint: number, type: Codes): number {
  const values = 2 ** (8 * type.BYTES_PER_ELEMENT);
  const least = type instanceof Int8Array || type instanceof Int16Array ? -values / 2 : 0;
  const quotient = Math.fround(x / Math.fround(scale));
  return clamp(halfToEven(quotient) + zeroPoint, least, least + values - 1);
}
