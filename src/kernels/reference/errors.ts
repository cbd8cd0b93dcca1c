/**
 * @file Signal and noise: Σx² and Σ(x − y)², y what DequantizeLinear gives back. Added to the pair `sums`.
 *
 * Differences in float32, as the values are; squares and sums in float64. The kernels add in another order.
 */

export function squaredError(a: Float32Array, b: Float32Array, sums: Float64Array): void {
  let signal = 0;
  let noise = 0;
  for (const [i, x] of a.entries()) {
    signal += x ** 2;
    noise += Math.fround(x - (b[i] ?? 0)) ** 2;
  }
  sums[0] = (sums[0] ?? 0) + signal;
  sums[1] = (sums[1] ?? 0) + noise;
}

export function quantizationError(
  x: Float32Array,
  q: Int8Array | Uint8Array,
  scale: number,
  zeroPoint: number,
  sums: Float64Array,
): void {
  const zeroPoints = Int16Array.of(zeroPoint);
  quantizationErrorColumns(x, 1, q, Float32Array.of(scale), zeroPoints, sums);
}

export function quantizationErrorColumns(
  x: Float32Array,
  cols: number,
  q: Int8Array | Uint8Array,
  scale: Float32Array,
  zeroPoint: Int8Array | Uint8Array | Int16Array,
  sums: Float64Array,
): void {
  const back = Float32Array.from(q, (code, i) => {
    return (code - (zeroPoint[i % cols] ?? 0)) * (scale[i % cols] ?? 0);
  });
  squaredError(x, back, sums);
}
