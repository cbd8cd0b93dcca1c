/** @file Vector arithmetic for norms, optimizers and collectives. Sums run in float64, updates in float32. */
import { promoteHigh, sumLanesF64 } from "./lanes";

export function dot(a: usize, b: usize, n: i32): f64 {
  let even = f64x2.splat(0);
  let odd = even;
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16) {
    const p = v128.load(a);
    const q = v128.load(b);
    even = f64x2.add(even, f64x2.mul(f64x2.promote_low_f32x4(p), f64x2.promote_low_f32x4(q)));
    odd = f64x2.add(odd, f64x2.mul(promoteHigh(p), promoteHigh(q)));
  }
  let sum = sumLanesF64(f64x2.add(even, odd));
  for (; i < n; i++, a += 4, b += 4) sum += <f64>load<f32>(a) * <f64>load<f32>(b);
  return sum;
}

export function sumAbs(x: usize, n: i32): f64 {
  let even = f64x2.splat(0);
  let odd = even;
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    const v = f32x4.abs(v128.load(x));
    even = f64x2.add(even, f64x2.promote_low_f32x4(v));
    odd = f64x2.add(odd, promoteHigh(v));
  }
  let sum = sumLanesF64(f64x2.add(even, odd));
  for (; i < n; i++, x += 4) sum += <f64>abs(load<f32>(x));
  return sum;
}

export function axpy(alpha: f32, x: usize, y: usize, n: i32): void {
  const a = f32x4.splat(alpha);
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32, y += 32) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(a, v128.load(x))));
    v128.store(y, f32x4.add(v128.load(y, 16), f32x4.mul(a, v128.load(x, 16))), 16);
  }
  for (; i < n; i++, x += 4, y += 4) store<f32>(y, load<f32>(y) + alpha * load<f32>(x));
}

export function accumulate(x: usize, y: usize, n: i32): void {
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32, y += 32) {
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
    v128.store(y, f32x4.add(v128.load(y, 16), v128.load(x, 16)), 16);
  }
  for (; i < n; i++, x += 4, y += 4) store<f32>(y, load<f32>(y) + load<f32>(x));
}

export function scale(alpha: f32, x: usize, n: i32): void {
  const a = f32x4.splat(alpha);
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32) {
    v128.store(x, f32x4.mul(a, v128.load(x)));
    v128.store(x, f32x4.mul(a, v128.load(x, 16)), 16);
  }
  for (; i < n; i++, x += 4) store<f32>(x, alpha * load<f32>(x));
}

@inline
function fourInt8(q: usize, scale: v128): v128 {
  return f32x4.mul(
    scale,
    f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(q)))),
  );
}

export function float32FromInt8(q: usize, n: i32, scale: f32, out: usize): void {
  const s = f32x4.splat(scale);
  let i = 0;
  for (; i + 8 <= n; i += 8, q += 8, out += 32) {
    v128.store(out, fourInt8(q, s));
    v128.store(out, fourInt8(q + 4, s), 16);
  }
  for (; i < n; i++, q++, out += 4) store<f32>(out, scale * <f32>load<i8>(q));
}
