/** @file The transpose of a row-major matrix [rows, cols], element by element. */

export function transpose32(x: Uint32Array, rows: number, cols: number): Uint32Array {
  return x.map((_, i) => x[(i % rows) * cols + Math.floor(i / rows)] ?? 0);
}

export function transpose8(x: Uint8Array, rows: number, cols: number): Uint8Array {
  return x.map((_, i) => x[(i % rows) * cols + Math.floor(i / rows)] ?? 0);
}
