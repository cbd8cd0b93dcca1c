/**
 * @file bitsandbytes' 4-bit types NF4 and FP4 (Dettmers et al., QLoRA, 2023) as ONNX Runtime's MatMulBnb4 reads them.
 *
 * A code is the number of thresholds that a scaled value exceeds. NF4's lie on both sides of zero and the count
 * is the code; FP4 counts magnitudes, a table orders its codes, and the sign is the top bit. Four of NF4's are
 * an ulp off the levels' midpoints: those are ONNX Runtime 1.30's.
 */
import { MAGNITUDE, MAGNITUDES, held, heldFloat, maxLaneI32 } from "./lanes";

/** Adds 1 to the lanes of `count` where x > threshold. */
@inline
function above(count: v128, x: v128, threshold: v128): v128 {
  return i32x4.sub(count, f32x4.gt(x, threshold));
}

const NF4_0 = heldFloat(-0.84809643);
const NF4_1 = heldFloat(-0.6106329262256622);
const NF4_2 = heldFloat(-0.4599952697753906);
const NF4_3 = heldFloat(-0.33967943489551544);
const NF4_4 = heldFloat(-0.23460740596055984);
const NF4_5 = heldFloat(-0.13791173323988914);
const NF4_6 = heldFloat(-0.045525018125772476);
const NF4_7 = heldFloat(0.03979014977812767);
const NF4_8 = heldFloat(0.120255254);
const NF4_9 = heldFloat(0.2035212516784668);
const NF4_10 = heldFloat(0.2920137718319893);
const NF4_11 = heldFloat(0.3893125355243683);
const NF4_12 = heldFloat(0.5016634);
const NF4_13 = heldFloat(0.6427869200706482);
const NF4_14 = heldFloat(0.8614784);

@inline
function nf4(x: v128): v128 {
  let code = above(i32x4.splat(0), x, NF4_0);
  code = above(code, x, NF4_1);
  code = above(code, x, NF4_2);
  code = above(code, x, NF4_3);
  code = above(code, x, NF4_4);
  code = above(code, x, NF4_5);
  code = above(code, x, NF4_6);
  code = above(code, x, NF4_7);
  code = above(code, x, NF4_8);
  code = above(code, x, NF4_9);
  code = above(code, x, NF4_10);
  code = above(code, x, NF4_11);
  code = above(code, x, NF4_12);
  code = above(code, x, NF4_13);
  return above(code, x, NF4_14);
}

const FP4_0 = heldFloat(0.00260417);
const FP4_1 = heldFloat(0.0859375);
const FP4_2 = heldFloat(0.20833333);
const FP4_3 = heldFloat(0.29166667);
const FP4_4 = heldFloat(0.4166667);
const FP4_5 = heldFloat(0.583333);
const FP4_6 = heldFloat(0.8333333);
/** The type's own order of codes: 0, 1/192, 1/6, 1/4, 1/3, 1/2, 2/3, 1. */
const FP4_ORDER = v128.and(held(-1), i8x16(0, 1, 6, 7, 4, 5, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0));
const FP4_SIGN = held(8);
const FP4_MAGNITUDE = held(7);

@inline
function fp4(x: v128): v128 {
  const size = f32x4.abs(x);
  let code = above(i32x4.splat(0), size, FP4_0);
  code = above(code, size, FP4_1);
  code = above(code, size, FP4_2);
  code = above(code, size, FP4_3);
  code = above(code, size, FP4_4);
  code = above(code, size, FP4_5);
  code = above(code, size, FP4_6);
  const first = v128.and(i8x16.swizzle(FP4_ORDER, code), FP4_MAGNITUDE);
  return v128.or(first, v128.and(f32x4.lt(x, f32x4.splat(0)), FP4_SIGN));
}

const LOW_BYTES = held(0x00ff00ff);

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

/** The codes of zero, low nibbles. */
const NF4_ZERO: u8 = 7;
const FP4_ZERO: u8 = 0;

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
      LOW_BYTES,
    );
    const bytes = i8x16.narrow_i16x8_u(joined, joined);
    if (n - i >= 8) {
      v128.store32_lane(out, bytes, 0);
    } else {
      v128.store32_lane(rest, bytes, 0);
      if (n & 1) {
        // an odd end is followed by a zero, not by a zero times the reciprocal, which may be infinite
        const last = rest + (<usize>(n - i) >> 1);
        store<u8>(last, (load<u8>(last) & 0xf0) | (kind == 1 ? NF4_ZERO : FP4_ZERO));
      }
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
  const mask = MAGNITUDES;
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
