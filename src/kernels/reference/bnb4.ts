/**
 * @file bitsandbytes' 4-bit types as ONNX Runtime's MatMulBnb4 stores them.
 *
 * NF4: Dettmers et al., "QLoRA", 2023. A value is divided by its block's largest magnitude (times the
 * float32 reciprocal) and gets the code of the nearest level: thresholds are the levels' midpoints, as in
 * onnxruntime's `blockwise_quant_block_bnb4.h`. Codes go high nibble first.
 */

export const FP4 = 0;
export const NF4 = 1;

/**
 * A value above the first k thresholds gets code k. Found by trying each float32 on onnxruntime 1.30: the
 * first, ninth, thirteenth and last are one ulp off the levels' midpoints.
 */
const NF4_THRESHOLDS = [
  -0.84809643, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544, -0.23460740596055984,
  -0.13791173323988914, -0.045525018125772476, 0.03979014977812767, 0.120255254, 0.2035212516784668,
  0.2920137718319893, 0.3893125355243683, 0.5016634, 0.6427869200706482, 0.8614784,
].map(Math.fround);

/** A magnitude above the first k thresholds gets the k-th of `FP4_CODES`. */
const FP4_THRESHOLDS = [
  0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333,
].map(Math.fround);
const FP4_CODES = [0b000, 0b001, 0b110, 0b111, 0b100, 0b101, 0b010, 0b011];
const FP4_SIGN = 0b1000;

export function packBnb4(
  x: Float32Array,
  blockSize: number,
  kind: typeof FP4 | typeof NF4,
): { packed: Uint8Array; absmax: Float32Array } {
  const packed = new Uint8Array(Math.ceil(x.length / 2));
  const absmax = new Float32Array(Math.ceil(x.length / blockSize));
  const codeOf = kind === NF4 ? nf4 : fp4;
  for (let start = 0; start < x.length; start += blockSize) {
    const block = x.subarray(start, start + blockSize);
    const most = block.reduce((all, v) => Math.max(all, Math.abs(v)), 0);
    const reciprocal = most === 0 ? 0 : Math.fround(1 / most);
    absmax[start / blockSize] = most;
    for (let i = 0; i < block.length; i += 2) {
      const first = codeOf(Math.fround((block[i] ?? 0) * reciprocal));
      // an odd end is followed by a zero, not by a zero times the reciprocal
      const second = i + 1 < block.length ? Math.fround((block[i + 1] ?? 0) * reciprocal) : 0;
      packed[(start + i) / 2] = (first << 4) | codeOf(second);
    }
  }
  return { packed, absmax };
}

function nf4(x: number): number {
  return NF4_THRESHOLDS.filter((threshold) => x > threshold).length;
}

function fp4(x: number): number {
  const size = FP4_THRESHOLDS.filter((threshold) => Math.abs(x) > threshold).length;
  return (x < 0 ? FP4_SIGN : 0) + (FP4_CODES[size] ?? 0);
}
