/**
 * @file Philox4x32-10, a counter-based random generator (Salmon et al., "Parallel Random Numbers: As Easy as
 * 1, 2, 3", SC 2011): the numbers are a pure function of a key and a counter, so no state is kept.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

export type Words4 = readonly [number, number, number, number];
export type Words2 = readonly [number, number];

/** Four words of 32 bits for a counter of four and a key of two. */
export function philox([a, b, c, d]: Words4, [k0, k1]: Words2): Words4 {
  let [x0, x1, x2, x3, key0, key1] = [a, b, c, d, k0, k1];
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, x0);
    const low0 = Math.imul(MULTIPLIER_0, x0);
    const high1 = multiplyHigh(MULTIPLIER_1, x2);
    const low1 = Math.imul(MULTIPLIER_1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + WEYL_0) | 0;
    key1 = (key1 + WEYL_1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0, x2 >>> 0, x3 >>> 0];
}

/** The upper 32 bits of the product of two words. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 65_536);
  const low = aLow * bHigh + (middle % 65_536);
  return (aHigh * bHigh + Math.floor(middle / 65_536) + Math.floor(low / 65_536)) | 0;
}

/**
 * A permutation of 0 … n − 1, the same for the same key and stream (Fisher–Yates over Philox).
 * @param stream three words that tell this permutation from others of the key
 */
export function permutation(
  n: number,
  key: Words2,
  stream: readonly [number, number, number],
): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let words: Words4 = [0, 0, 0, 0];
  for (let i = n - 1, drawn = 0; i > 0; i--, drawn++) {
    if (drawn % 2 === 0) words = philox([drawn / 2, ...stream], key);
    const [low = 0, high = 0] = drawn % 2 === 0 ? words : [words[2], words[3]];
    // 53 bits: the bias of a place among 2^32 is below 2^-21 of its chance
    const unit = ((high >>> 11) * 4_294_967_296 + low) / 9_007_199_254_740_992;
    const j = Math.floor(unit * (i + 1));
    const kept = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = kept;
  }
  return order;
}
