/** @file Block codes in the matrix's own layout, one byte each, and the packing of such codes. */
import { extremes } from "./ranges.ts";
import { clamp, halfAwayFromZero, halfToEven } from "./rounding.ts";

export interface BlockCodes {
  /** One code per element, in two's complement where signed. */
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  /** One per block; stays zero when symmetric. */
  readonly zeroPoints: Uint8Array;
}

/**
 * Blocks along each row of a row-major matrix; scales and zero points [rows, ceil(cols / blockSize)].
 *
 * The arithmetic of `DefaultWeightOnlyQuantizer.quantize_ndarray` (onnxruntime 1.30, the Gather path; NumPy,
 * float32): divide, add the zero point, round half to even, clip. It defines signed symmetric and unsigned
 * asymmetric 4-bit codes; the other widths follow the same formulas, the other signs are moved by 2^(bits − 1).
 */
export function quantizeRowBlocks(
  x: Float32Array,
  cols: number,
  settings: { blockSize: number; bits: number; symmetric: boolean; signed: boolean },
): BlockCodes {
  const { blockSize, bits, symmetric, signed } = settings;
  const middle = 2 ** (bits - 1);
  const most = 2 ** bits - 1;
  const shift = signed ? middle : 0;
  const codes = new Uint8Array(x.length);
  const scales: number[] = [];
  const zeroPoints: number[] = [];
  for (let start = 0; start < x.length;) {
    const end = Math.min(start + blockSize, (Math.floor(start / cols) + 1) * cols);
    const block = x.subarray(start, end);
    const { low, high } = extremes(block);
    if (symmetric) {
      const extreme = Math.abs(high) > Math.abs(low) ? high : low;
      const scale = Math.fround(extreme / -middle);
      for (const [i, v] of block.entries()) {
        const q = scale === 0 ? 0 : halfToEven(Math.fround(v / scale));
        codes[start + i] = clamp(q, -middle, middle - 1) + middle - shift;
      }
      scales.push(scale);
      zeroPoints.push(0);
    } else {
      const scale = Math.fround(Math.fround(Math.max(high, 0) - Math.min(low, 0)) / most);
      const exact = scale === 0 ? middle : Math.fround(-Math.min(low, 0) / scale);
      const zeroPoint = clamp(halfToEven(exact), 0, most);
      for (const [i, v] of block.entries()) {
        const q = scale === 0 ? middle : Math.fround(Math.fround(v / scale) + zeroPoint);
        codes[start + i] = clamp(halfToEven(q), 0, most) - shift;
      }
      scales.push(scale);
      zeroPoints.push(zeroPoint - shift);
    }
    start = end;
  }
  return { codes, scales: Float32Array.from(scales), zeroPoints: Uint8Array.from(zeroPoints) };
}

/** What a conversion of NaN or Inf to int32 gives on x86, and so in ONNX Runtime. */
const NO_INTEGER = -(2 ** 31);

/**
 * Blocks of rows of each column; scales and zero points [ceil(rows / blockSize), cols].
 *
 * The arithmetic of onnxruntime 1.30's `quantize_qdq_matmul_4bits` (`BlockwiseQDQQuantizer`, q4_dq.cpp):
 * multiply by the reciprocal, round half away from zero, add the zero point, clip. Symmetric codes are signed.
 */
export function quantizeColumnBlocks(
  x: Float32Array,
  cols: number,
  settings: { blockSize: number; bits: number; symmetric: boolean },
): BlockCodes {
  const { blockSize, bits, symmetric } = settings;
  const rows = x.length / cols;
  const blocks = Math.ceil(rows / blockSize);
  const middle = 2 ** (bits - 1);
  const least = symmetric ? -middle : 0;
  const most = least + 2 ** bits - 1;
  const codes = new Uint8Array(x.length);
  const scales = new Float32Array(blocks * cols);
  const zeroPoints = new Uint8Array(blocks * cols);
  for (let k = 0; k < blocks * cols; k++) {
    const first = Math.floor(k / cols) * blockSize;
    const elements: number[] = [];
    for (let r = first; r < Math.min(rows, first + blockSize); r++) {
      elements.push(r * cols + (k % cols));
    }
    const block = elements.map((i) => x[i] ?? 0);
    let { low, high } = extremes(block);
    let scale: number;
    let zeroPoint = 0;
    if (symmetric) {
      scale = Math.fround(-(Math.abs(high) > Math.abs(low) ? high : low) / middle);
    } else {
      low = Math.min(low, 0);
      high = Math.max(high, 0);
      scale = Math.fround(Math.fround(high - low) / most);
      const exact = scale === 0 ? low : Math.fround(0 - Math.fround(low / scale));
      zeroPoint = halfAwayFromZero(clamp(exact, 0, most));
    }
    const reciprocal = scale === 0 ? 0 : Math.fround(1 / scale);
    for (const [j, i] of elements.entries()) {
      const steps = halfAwayFromZero(Math.fround((block[j] ?? 0) * reciprocal));
      const whole = Math.abs(steps) < 2 ** 31 ? steps : NO_INTEGER;
      codes[i] = clamp(whole + zeroPoint, least, most);
    }
    scales[k] = scale;
    zeroPoints[k] = zeroPoint;
  }
  return { codes, scales, zeroPoints };
}

/** Codes of 2 or 4 bits, low first; what the last byte does not need is zero. */
export function packCodes(codes: Uint8Array, bits: number): Uint8Array {
  const perByte = 8 / bits;
  const packed = new Uint8Array(Math.ceil(codes.length / perByte));
  for (const [i, code] of codes.entries()) {
    const at = Math.floor(i / perByte);
    packed[at] = (packed[at] ?? 0) | ((code & (2 ** bits - 1)) << ((i % perByte) * bits));
  }
  return packed;
}
