/**
 * @file Blocks along the rows (GatherBlockQuantized): one code a byte, packed afterwards by `packCodes`.
 *
 * ONNX Runtime's NumPy path: true division, halves to even, rounding after the zero point was added.
 */
import { ROUND_MAGICS, ROUND_MAGIC_BITS, maxLaneF32, minLaneF32 } from "./lanes";

/** rint(x / scale + shift) − bias + 0x4b400000; |x / scale| is at most about 2^bits by construction. */
@inline
function rounded(x: v128, scale: v128, shift: v128, bias: v128): v128 {
  const t = f32x4.add(f32x4.div(x, scale), shift);
  return i32x4.sub(f32x4.add(t, ROUND_MAGICS), bias);
}

export function quantizeRowBlocks(
  x: usize,
  rows: i32,
  cols: i32,
  blockSize: i32,
  bits: i32,
  symmetric: i32,
  signed: i32,
  q: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c += blockSize) {
      const n = min(blockSize, cols - c);
      quantizeBlock(x, n, bits, symmetric != 0, signed != 0, q, scales, zeroPoints);
      x += (<usize>n) << 2;
      q += <usize>n;
      scales += 4;
      zeroPoints++;
    }
  }
}

function quantizeBlock(
  x: usize,
  n: i32,
  bits: i32,
  symmetric: bool,
  signed: bool,
  q: usize,
  scaleAt: usize,
  zeroPointAt: usize,
): void {
  const middle: i32 = 1 << (bits - 1);
  const most: i32 = (1 << bits) - 1;
  let lows = f32x4.splat(load<f32>(x));
  let highs = lows;
  let i = 0;
  let p = x;
  for (; i + 4 <= n; i += 4, p += 16) {
    const v = v128.load(p);
    lows = f32x4.pmin(lows, v);
    highs = f32x4.pmax(highs, v);
  }
  let low = minLaneF32(lows);
  let high = maxLaneF32(highs);
  for (; i < n; i++, p += 4) {
    low = min(low, load<f32>(p));
    high = max(high, load<f32>(p));
  }

  let scale: f32;
  let shift: f32 = 0;
  if (symmetric) {
    scale = (abs(high) > abs(low) ? high : low) / -(<f32>middle);
  } else {
    low = min(low, 0);
    high = max(high, 0);
    scale = (high - low) / <f32>most;
    if (scale != 0) shift = min(max(nearest(-low / scale), 0), <f32>most);
    else shift = <f32>middle;
    store<u8>(zeroPointAt, <u8>(<i32>shift - (signed ? middle : 0)));
  }
  store<f32>(scaleAt, scale);

  const flip: i32 = signed ? middle : 0;
  if (scale == 0) {
    memory.fill(q, <u8>(middle - flip), n);
    return;
  }
  const s = f32x4.splat(scale);
  const z = f32x4.splat(shift);
  const bias = i32x4.splat(ROUND_MAGIC_BITS - (symmetric ? middle : 0));
  const flips = i8x16.splat(<i8>flip);
  const mosts = i8x16.splat(<i8>most);
  i = 0;
  for (; i + 16 <= n; i += 16, x += 64, q += 16) {
    const a = i16x8.narrow_i32x4_s(
      rounded(v128.load(x), s, z, bias),
      rounded(v128.load(x, 16), s, z, bias),
    );
    const b = i16x8.narrow_i32x4_s(
      rounded(v128.load(x, 32), s, z, bias),
      rounded(v128.load(x, 48), s, z, bias),
    );
    v128.store(q, i8x16.sub(i8x16.min_u(i8x16.narrow_i16x8_u(a, b), mosts), flips));
  }
  for (; i < n; i++, x += 4, q++) {
    const t = i32x4.extract_lane(rounded(f32x4.splat(load<f32>(x)), s, z, bias), 0);
    store<u8>(q, <u8>(min(max(t, 0), most) - flip));
  }
}
