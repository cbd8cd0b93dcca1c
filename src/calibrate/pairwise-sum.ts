/** @file A sum of float32 numbers in the order in which NumPy adds them. */

const f32 = Math.fround;
const BLOCK = 128;

/** Eight sums side by side in blocks of 128, blocks in pairs. */
export function pairwiseSum(values: Float32Array): number {
  const count = values.length;
  if (count < 8) return values.reduce((sum, x) => f32(sum + x), 0);
  if (count > BLOCK) {
    const half = Math.floor(count / 2);
    const first = half - (half % 8);
    return f32(pairwiseSum(values.subarray(0, first)) + pairwiseSum(values.subarray(first)));
  }
  const sums = values.slice(0, 8);
  const whole = count - (count % 8);
  for (let i = 8; i < whole; i++) sums[i % 8] = (sums[i % 8] ?? 0) + (values[i] ?? 0);
  const pair = (i: number): number => f32((sums[i] ?? 0) + (sums[i + 1] ?? 0));
  let sum = f32(f32(pair(0) + pair(2)) + f32(pair(4) + pair(6)));
  for (let i = whole; i < count; i++) sum = f32(sum + (values[i] ?? 0));
  return sum;
}
