/**
 * @file bitsandbytes' 4-bit types, NF4 and FP4 (Dettmers et al., QLoRA, 2023), as ONNX Runtime's MatMulBnb4 reads them.
 *
 * A code is the number of thresholds that a scaled value exceeds. NF4's thresholds lie on both sides of zero and
 * the count is the code (four differ by an ulp from the levels' midpoints: those are ONNX Runtime 1.30's); FP4 counts magnitudes, a table orders its codes, and the sign is the top bit.
 */
import { MAGNITUDE, maxLaneI32 } from "./lanes";

/** Adds 1 to the lanes of `count` where x > threshold. */
@inline
function above(count: v128, x: v128, threshold: f32): v128 {
  return i32x4.sub(count, f32x4.gt(x, f32x4.splat(threshold)));
}

@inline
function nf4(x: v128): v128 {
  let code = above(i32x4.splat(0), x, -0.84809643);
  code = above(code, x, -0.6106329262256622);
  code = above(code, x, -0.4599952697753906);
  code = above(code, x, -0.33967943489551544);
  code = above(code, x, -0.23460740596055984);
  code = above(code, x, -0.13791173323988914);
  code = above(code, x, -0.045525018125772476);
  code = above(code, x, 0.03979014977812767);
  code = above(code, x, 0.120255254);
  code = above(code, x, 0.2035212516784668);
  code = above(code, x, 0.2920137718319893);
  code = above(code, x, 0.3893125355243683);
  code = above(code, x, 0.5016634);
  code = above(code, x, 0.6427869200706482);
  return above(code, x, 0.8614784);
}

@inline
function fp4(x: v128): v128 {
  const size = f32x4.abs(x);
  let code = above(i32x4.splat(0), size, 0.00260417);
  code = above(code, size, 0.0859375);
  code = above(code, size, 0.20833333);
  code = above(code, size, 0.29166667);
  code = above(code, size, 0.4166667);
  code = above(code, size, 0.583333);
  code = above(code, size, 0.8333333);
  // 0, 1/192, 1/6, 1/4, 1/3, 1/2, 2/3, 1 in the type's own order of codes
  const order = i8x16(0, 1, 6, 7, 4, 5, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0);
  const first = v128.and(i8x16.swizzle(order, code), i32x4.splat(7));
  return v128.or(first, v128.and(f32x4.lt(x, f32x4.splat(0)), i32x4.splat(8)));
}

/** Eight values to eight codes, one byte each in the low half. */
@inline
function codesOf(x: usize, reciprocal: v128, kind: i32): v128 {
  const a = f32x4.mul(v128.load(x), reciprocal);
  const b = f32x4.mul(v128.load(x, 16), reciprocal);
  const shorts = kind == 1
    ? i16x8.narrow_i32x4_s(nf4(a), nf4(b))
    : i16x8.narrow_i32x4_s(fp4(a), fp4(b));
  return i8x16.narrow_i16x8_u(shorts, shorts);
}

/** The last values of a block, fewer than eight, followed by zeros. */
const rest = memory.data(32, 16);

@inline
function packBlock(x: usize, n: i32, kind: i32, reciprocal: f32, out: usize): void {
  const r = f32x4.splat(reciprocal);
  for (let i = 0; i < n; i += 8, x += 32, out += 4) {
    let from = x;
    if (n - i < 8) {
      memory.fill(rest, 0, 32);
      memory.copy(rest, x, <usize>(n - i) << 2);
      from = rest;
    }
    const pairs = codesOf(from, r, kind);
    // the first of two codes is the high nibble
    const joined = v128.and(
      v128.or(i16x8.shl(pairs, 4), i16x8.shr_u(pairs, 8)),
      i16x8.splat(255),
    );
    const bytes = i8x16.narrow_i16x8_u(joined, joined);
    if (n - i >= 8) {
      v128.store32_lane(out, bytes, 0);
    } else {
      v128.store32_lane(rest, bytes, 0);
      memory.copy(out, rest, <usize>(n - i + 1) >> 1);
    }
  }
}

export function packBnb4(
  x: usize,
  n: i32,
  blockSize: i32,
  kind: i32,
  out: usize,
  absmax: usize,
): void {
  const mask = i32x4.splat(MAGNITUDE);
  for (let start = 0; start < n; start += blockSize) {
    const count = min(blockSize, n - start);
    let most = i32x4.splat(0);
    let i = 0;
    let p = x;
    for (; i + 4 <= count; i += 4, p += 16) most = i32x4.max_s(most, v128.and(v128.load(p), mask));
    let extreme = maxLaneI32(most);
    for (; i < count; i++, p += 4) extreme = max(extreme, load<i32>(p) & MAGNITUDE);
    const largest = reinterpret<f32>(extreme);
    store<f32>(absmax, largest);
    const reciprocal: f32 = largest != 0 ? 1 / largest : 0;
    if (kind == 1) packBlock(x, count, 1, reciprocal, out);
    else packBlock(x, count, 0, reciprocal, out);
    x += (<usize>count) << 2;
    out += <usize>blockSize >> 1;
    absmax += 4;
  }
}
