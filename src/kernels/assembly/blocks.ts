/**
 * @file MatMulNBits weights: blocks along the rows (K) of B [K, N], packed per column.
 *
 * The arithmetic is ONNX Runtime's (`MlasQuantizeBlockwise`, core/mlas/lib/q4_dq.cpp), float32 throughout:
 * scale = range / levels, codes = round(x · (1 / scale) + zero point), halves away from zero.
 *
 * A tile is one block of 16 columns: a cache line wide, so each line is read once per pass. Codes are
 * made row by row and packed along K into byte vectors of 16 columns, then turned 16 × 16 at a time.
 */
import { reciprocalOf, roundUp, scaleOf, zeroPointOf } from "./block-arithmetic";
import {
  block,
  place,
  storeScales,
  storeZeroPoints,
  tileScales,
  tileZeroPoints,
} from "./block-parameters";
import { held, heldFloat } from "./lanes";
import { transposeTile8 } from "./transpose";

const COLUMNS: i32 = 16;

/** The packed codes of a tile before they are turned: up to 256 rows of 16 bytes, the largest block. */
const packedRows = memory.data(4096, 16);
/** One turned 16 × 16 tile that does not go to its place as a whole. */
const turned = memory.data(256, 16);
/** A tile of fewer than 16 columns, widened with zeros: 256 rows of 16 float32. */
const widened = memory.data(16384, 16);

/** 2^23: adding it leaves an integer in the low bits of a float32. */
const INTEGER_MAGIC = heldFloat(8388608);
const INTEGER_MAGIC_BITS = held(0x4b000000);
const LARGEST_2_BIT = held(0x03030303);
const LARGEST_4_BIT = held(0x0f0f0f0f);

/** Codes of four values, not yet clamped from above. */
@inline
function codes(x: usize, reciprocal: v128, zeroPoint: v128): v128 {
  const t = f32x4.add(f32x4.mul(v128.load(x), reciprocal), zeroPoint);
  return i32x4.sub(f32x4.add(roundUp(t), INTEGER_MAGIC), INTEGER_MAGIC_BITS);
}

/** Sixteen codes of one row as bytes, clamped to the bits. */
@inline
function codeRow(
  bits: i32,
  x: usize,
  r0: v128,
  r1: v128,
  r2: v128,
  r3: v128,
  z0: v128,
  z1: v128,
  z2: v128,
  z3: v128,
): v128 {
  const bytes = i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(codes(x, r0, z0), codes(x + 16, r1, z1)),
    i16x8.narrow_i32x4_s(codes(x + 32, r2, z2), codes(x + 48, r3, z3)),
  );
  if (bits == 8) return bytes;
  return i8x16.min_u(bytes, bits == 4 ? LARGEST_4_BIT : LARGEST_2_BIT);
}

@inline
function packTile(
  bits: i32,
  x: usize,
  rows: i32,
  stride: usize,
  column: i32,
  width: i32,
  blockSize: i32,
  packed: usize,
  packedStride: usize,
  symmetric: bool,
): void {
  let l0 = v128.load(x);
  let l1 = v128.load(x, 16);
  let l2 = v128.load(x, 32);
  let l3 = v128.load(x, 48);
  let h0 = l0;
  let h1 = l1;
  let h2 = l2;
  let h3 = l3;
  let row = x;
  for (let r = 1; r < rows; r++) {
    row += stride;
    const a = v128.load(row);
    const b = v128.load(row, 16);
    const c = v128.load(row, 32);
    const d = v128.load(row, 48);
    l0 = f32x4.pmin(l0, a);
    l1 = f32x4.pmin(l1, b);
    l2 = f32x4.pmin(l2, c);
    l3 = f32x4.pmin(l3, d);
    h0 = f32x4.pmax(h0, a);
    h1 = f32x4.pmax(h1, b);
    h2 = f32x4.pmax(h2, c);
    h3 = f32x4.pmax(h3, d);
  }
  const middle = f32x4.splat(<f32>(1 << (bits - 1)));
  let z0 = middle;
  let z1 = middle;
  let z2 = middle;
  let z3 = middle;
  if (!symmetric) {
    const zero = f32x4.splat(0);
    l0 = f32x4.pmin(zero, l0);
    l1 = f32x4.pmin(zero, l1);
    l2 = f32x4.pmin(zero, l2);
    l3 = f32x4.pmin(zero, l3);
    h0 = f32x4.pmax(zero, h0);
    h1 = f32x4.pmax(zero, h1);
    h2 = f32x4.pmax(zero, h2);
    h3 = f32x4.pmax(zero, h3);
  }
  const s0 = scaleOf(bits, l0, h0, symmetric);
  const s1 = scaleOf(bits, l1, h1, symmetric);
  const s2 = scaleOf(bits, l2, h2, symmetric);
  const s3 = scaleOf(bits, l3, h3, symmetric);
  if (!symmetric) {
    z0 = zeroPointOf(bits, l0, s0);
    z1 = zeroPointOf(bits, l1, s1);
    z2 = zeroPointOf(bits, l2, s2);
    z3 = zeroPointOf(bits, l3, s3);
  }
  v128.store(tileScales, s0);
  v128.store(tileScales, s1, 16);
  v128.store(tileScales, s2, 32);
  v128.store(tileScales, s3, 48);
  storeScales(column, width);
  if (!symmetric) {
    v128.store(tileZeroPoints, i32x4.trunc_sat_f32x4_s(z0));
    v128.store(tileZeroPoints, i32x4.trunc_sat_f32x4_s(z1), 16);
    v128.store(tileZeroPoints, i32x4.trunc_sat_f32x4_s(z2), 32);
    v128.store(tileZeroPoints, i32x4.trunc_sat_f32x4_s(z3), 48);
    storeZeroPoints(bits, column, width);
  }
  const r0 = reciprocalOf(s0);
  const r1 = reciprocalOf(s1);
  const r2 = reciprocalOf(s2);
  const r3 = reciprocalOf(s3);

  const perByte = 8 / bits;
  const bytes = (blockSize * bits) >> 3;
  const full = rows / perByte;
  let to = packedRows;
  row = x;
  for (let b = 0; b < full; b++, to += 16) {
    let byte = codeRow(bits, row, r0, r1, r2, r3, z0, z1, z2, z3);
    row += stride;
    if (bits <= 4) {
      byte = v128.or(byte, i16x8.shl(codeRow(bits, row, r0, r1, r2, r3, z0, z1, z2, z3), bits));
      row += stride;
    }
    if (bits == 2) {
      byte = v128.or(byte, i16x8.shl(codeRow(bits, row, r0, r1, r2, r3, z0, z1, z2, z3), 4));
      row += stride;
      byte = v128.or(byte, i16x8.shl(codeRow(bits, row, r0, r1, r2, r3, z0, z1, z2, z3), 6));
      row += stride;
    }
    v128.store(to, byte);
  }
  const spare = rows - full * perByte;
  if (spare) {
    let byte = i8x16.splat(0);
    for (let k = 0; k < spare; k++, row += stride) {
      byte = v128.or(
        byte,
        i16x8.shl(codeRow(bits, row, r0, r1, r2, r3, z0, z1, z2, z3), k * bits),
      );
    }
    v128.store(to, byte);
    to += 16;
  }
  for (; to < packedRows + (<usize>bytes << 4); to += 16) v128.store(to, i8x16.splat(0));

  const columnStart = packed + <usize>column * packedStride + <usize>(block * bytes);
  for (let g = 0; g < bytes; g += 16) {
    const from = packedRows + (<usize>g << 4);
    const at = columnStart + <usize>g;
    if (width == COLUMNS && bytes - g >= 16) {
      transposeTile8(from, 16, at, packedStride);
    } else {
      transposeTile8(from, 16, turned, 16);
      for (let c = 0; c < width; c++) {
        memory.copy(at + <usize>c * packedStride, turned + (<usize>c << 4), min(16, bytes - g));
      }
    }
  }
  if (spare) repeatSpareBits(columnStart, packedStride, full, width, perByte, (-1 << (spare * bits)) & 255);
}

/**
 * The bits that no row fills in a column's last byte repeat those of the byte before, or are zero where
 * ONNX Runtime begins a run of `perByte` blocks: its loop leaves the last codes in place.
 */
function repeatSpareBits(
  columnStart: usize,
  packedStride: usize,
  byte: i32,
  width: i32,
  perByte: i32,
  mask: i32,
): void {
  if (byte == 0 && block % perByte == 0) return;
  for (let c = 0; c < width; c++) {
    const at = columnStart + <usize>c * packedStride + <usize>byte;
    store<u8>(at, <i32>load<u8>(at) | (<i32>load<u8>(at - 1) & mask));
  }
}

@inline
function packBlocks(
  bits: i32,
  x: usize,
  rows: i32,
  cols: i32,
  stride: i32,
  blockSize: i32,
  packed: usize,
  packedStride: usize,
  symmetric: bool,
): void {
  const rowBytes = (<usize>stride) << 2;
  for (let c = 0; c < cols; c += COLUMNS) {
    const width = min(COLUMNS, cols - c);
    let tile = x + ((<usize>c) << 2);
    let tileStride = rowBytes;
    if (width < COLUMNS) {
      memory.fill(widened, 0, (<usize>rows) << 6);
      for (let r = 0; r < rows; r++) {
        memory.copy(widened + ((<usize>r) << 6), tile + <usize>r * rowBytes, (<usize>width) << 2);
      }
      tile = widened;
      tileStride = 64;
    }
    packTile(bits, tile, rows, tileStride, c, width, blockSize, packed, packedStride, symmetric);
  }
}

export function packBlocks2(
  x: usize,
  rows: i32,
  cols: i32,
  stride: i32,
  block: i32,
  blocks: i32,
  blockSize: i32,
  packed: usize,
  packedStride: usize,
  scales: usize,
  zeroPoints: usize,
  zeroPointStride: usize,
  symmetric: i32,
): void {
  place(block, blocks, scales, zeroPoints, zeroPointStride);
  packBlocks(2, x, rows, cols, stride, blockSize, packed, packedStride, symmetric != 0);
}

export function packBlocks4(
  x: usize,
  rows: i32,
  cols: i32,
  stride: i32,
  block: i32,
  blocks: i32,
  blockSize: i32,
  packed: usize,
  packedStride: usize,
  scales: usize,
  zeroPoints: usize,
  zeroPointStride: usize,
  symmetric: i32,
): void {
  place(block, blocks, scales, zeroPoints, zeroPointStride);
  packBlocks(4, x, rows, cols, stride, blockSize, packed, packedStride, symmetric != 0);
}

export function packBlocks8(
  x: usize,
  rows: i32,
  cols: i32,
  stride: i32,
  block: i32,
  blocks: i32,
  blockSize: i32,
  packed: usize,
  packedStride: usize,
  scales: usize,
  zeroPoints: usize,
  zeroPointStride: usize,
  symmetric: i32,
): void {
  place(block, blocks, scales, zeroPoints, zeroPointStride);
  packBlocks(8, x, rows, cols, stride, blockSize, packed, packedStride, symmetric != 0);
}
