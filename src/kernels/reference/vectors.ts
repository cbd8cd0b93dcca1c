/** @file Vector arithmetic: sums in float64 (the kernels add in another order), updates in float32. */

export function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
}

export function sumAbs(x: Float32Array): number {
  return x.reduce((sum, v) => sum + Math.abs(v), 0);
}

/** y += alpha · x, product and sum each rounded to float32. */
export function axpy(alpha: number, x: Float32Array, y: Float32Array): void {
  const a = Math.fround(alpha);
  for (const [i, v] of x.entries()) y[i] = (y[i] ?? 0) + Math.fround(a * v);
}

/** y += x */
export function accumulate(x: Float32Array, y: Float32Array): void {
  for (const [i, v] of x.entries()) y[i] = (y[i] ?? 0) + v;
}

/** x *= alpha */
export function scale(alpha: number, x: Float32Array): void {
  for (const [i, v] of x.entries()) x[i] = Math.fround(alpha) * v;
}

/** out = scale · q */
export function float32FromInt8(q: Int8Array, scale: number): Float32Array {
  return Float32Array.from(q, (code) => Math.fround(scale) * code);
}
