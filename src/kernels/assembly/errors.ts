/** @file What a quantization costs: sums of squares of a signal and of its error, in float64. */
import { promoteHigh, sumLanesF64 } from "./lanes";

/** The squares of four lanes, as two float64 partial sums. */
@inline
function squares(v: v128): v128 {
  const a = f64x2.promote_low_f32x4(v);
  const b = promoteHigh(v);
  return f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b));
}

@inline
function addTo(sums: usize, signal: f64, noise: f64): void {
  store<f64>(sums, load<f64>(sums) + signal);
  store<f64>(sums, load<f64>(sums, 8) + noise, 8);
}

@inline
function square(v: f64): f64 {
  return v * v;
}

/** Four codes at `q` as int32. */
@inline
function codes4<T>(q: usize): v128 {
  const bytes = v128.load32_zero(q);
  return isSigned<T>()
    ? i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes))
    : i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

@inline
function quantizationError<T>(
  x: usize,
  n: i32,
  q: usize,
  scale: f32,
  zeroPoint: i32,
  sums: usize,
): void {
  const s = f32x4.splat(scale);
  const z = i32x4.splat(zeroPoint);
  let signal = f64x2.splat(0);
  let noise = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, q += 4) {
    const v = v128.load(x);
    const y = f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(codes4<T>(q), z)), s);
    signal = f64x2.add(signal, squares(v));
    noise = f64x2.add(noise, squares(f32x4.sub(v, y)));
  }
  let signalTail: f64 = 0;
  let noiseTail: f64 = 0;
  for (; i < n; i++, x += 4, q++) {
    const v = load<f32>(x);
    signalTail += square(v);
    noiseTail += square(v - <f32>(<i32>load<T>(q) - zeroPoint) * scale);
  }
  addTo(sums, sumLanesF64(signal) + signalTail, sumLanesF64(noise) + noiseTail);
}

@inline
function quantizationErrorColumns<T>(
  x: usize,
  rows: i32,
  cols: i32,
  q: usize,
  scale: usize,
  zeroPoint: usize,
  sums: usize,
): void {
  let signal = f64x2.splat(0);
  let noise = f64x2.splat(0);
  let signalTail: f64 = 0;
  let noiseTail: f64 = 0;
  for (let r = 0; r < rows; r++) {
    let s = scale;
    let z = zeroPoint;
    let c = 0;
    for (; c + 4 <= cols; c += 4, x += 16, q += 4, s += 16, z += 4) {
      const v = v128.load(x);
      const steps = f32x4.convert_i32x4_s(i32x4.sub(codes4<T>(q), codes4<T>(z)));
      signal = f64x2.add(signal, squares(v));
      noise = f64x2.add(noise, squares(f32x4.sub(v, f32x4.mul(steps, v128.load(s)))));
    }
    for (; c < cols; c++, x += 4, q++, s += 4, z++) {
      const v = load<f32>(x);
      signalTail += square(v);
      noiseTail += square(v - <f32>(<i32>load<T>(q) - <i32>load<T>(z)) * load<f32>(s));
    }
  }
  addTo(sums, sumLanesF64(signal) + signalTail, sumLanesF64(noise) + noiseTail);
}

export function quantizationErrorInt8(
  x: usize,
  n: i32,
  q: usize,
  scale: f32,
  zeroPoint: i32,
  sums: usize,
): void {
  quantizationError<i8>(x, n, q, scale, zeroPoint, sums);
}

export function quantizationErrorUint8(
  x: usize,
  n: i32,
  q: usize,
  scale: f32,
  zeroPoint: i32,
  sums: usize,
): void {
  quantizationError<u8>(x, n, q, scale, zeroPoint, sums);
}

export function quantizationErrorInt8Columns(
  x: usize,
  rows: i32,
  cols: i32,
  q: usize,
  scale: usize,
  zeroPoint: usize,
  sums: usize,
): void {
  quantizationErrorColumns<i8>(x, rows, cols, q, scale, zeroPoint, sums);
}

export function quantizationErrorUint8Columns(
  x: usize,
  rows: i32,
  cols: i32,
  q: usize,
  scale: usize,
  zeroPoint: usize,
  sums: usize,
): void {
  quantizationErrorColumns<u8>(x, rows, cols, q, scale, zeroPoint, sums);
}

export function squaredError(a: usize, b: usize, n: i32, sums: usize): void {
  let signal = f64x2.splat(0);
  let noise = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16) {
    const v = v128.load(a);
    signal = f64x2.add(signal, squares(v));
    noise = f64x2.add(noise, squares(f32x4.sub(v, v128.load(b))));
  }
  let signalTail: f64 = 0;
  let noiseTail: f64 = 0;
  for (; i < n; i++, a += 4, b += 4) {
    const v = load<f32>(a);
    signalTail += square(v);
    noiseTail += square(v - load<f32>(b));
  }
  addTo(sums, sumLanesF64(signal) + signalTail, sumLanesF64(noise) + noiseTail);
}
