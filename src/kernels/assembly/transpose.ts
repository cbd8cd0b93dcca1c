/** @file Transposes of row-major matrices, by tiles that fit the registers. */

/** Transposes 16 × 16 bytes: four rounds of interleaving row i with row i + 8. Strides in bytes. */
export function transposeTile8(from: usize, fromStride: usize, to: usize, toStride: usize): void {
  let p = from;
  let a0 = v128.load(p); p += fromStride;
  let a1 = v128.load(p); p += fromStride;
  let a2 = v128.load(p); p += fromStride;
  let a3 = v128.load(p); p += fromStride;
  let a4 = v128.load(p); p += fromStride;
  let a5 = v128.load(p); p += fromStride;
  let a6 = v128.load(p); p += fromStride;
  let a7 = v128.load(p); p += fromStride;
  let a8 = v128.load(p); p += fromStride;
  let a9 = v128.load(p); p += fromStride;
  let aa = v128.load(p); p += fromStride;
  let ab = v128.load(p); p += fromStride;
  let ac = v128.load(p); p += fromStride;
  let ad = v128.load(p); p += fromStride;
  let ae = v128.load(p); p += fromStride;
  let af = v128.load(p);
  for (let round = 0; round < 4; round++) {
    const b0 = low(a0, a8), b1 = high(a0, a8);
    const b2 = low(a1, a9), b3 = high(a1, a9);
    const b4 = low(a2, aa), b5 = high(a2, aa);
    const b6 = low(a3, ab), b7 = high(a3, ab);
    const b8 = low(a4, ac), b9 = high(a4, ac);
    const ba = low(a5, ad), bb = high(a5, ad);
    const bc = low(a6, ae), bd = high(a6, ae);
    const be = low(a7, af), bf = high(a7, af);
    a0 = b0; a1 = b1; a2 = b2; a3 = b3; a4 = b4; a5 = b5; a6 = b6; a7 = b7;
    a8 = b8; a9 = b9; aa = ba; ab = bb; ac = bc; ad = bd; ae = be; af = bf;
  }
  v128.store(to, a0); to += toStride;
  v128.store(to, a1); to += toStride;
  v128.store(to, a2); to += toStride;
  v128.store(to, a3); to += toStride;
  v128.store(to, a4); to += toStride;
  v128.store(to, a5); to += toStride;
  v128.store(to, a6); to += toStride;
  v128.store(to, a7); to += toStride;
  v128.store(to, a8); to += toStride;
  v128.store(to, a9); to += toStride;
  v128.store(to, aa); to += toStride;
  v128.store(to, ab); to += toStride;
  v128.store(to, ac); to += toStride;
  v128.store(to, ad); to += toStride;
  v128.store(to, ae); to += toStride;
  v128.store(to, af);
}

@inline
function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

export function transpose8(x: usize, rows: i32, cols: i32, out: usize): void {
  const fullRows = rows & ~15;
  const fullCols = cols & ~15;
  for (let r = 0; r < fullRows; r += 16) {
    for (let c = 0; c < fullCols; c += 16) {
      transposeTile8(x + <usize>(r * cols + c), cols, out + <usize>(c * rows + r), rows);
    }
  }
  transposeRest<u8>(x, rows, cols, out, fullRows, fullCols);
}

/** Rows and columns of a block of tiles: as many as a cache set has ways, for rows a power of two apart. */
const BLOCK: i32 = 8;

export function transpose32(x: usize, rows: i32, cols: i32, out: usize): void {
  const fullRows = rows & ~3;
  const fullCols = cols & ~3;
  for (let r = 0; r < fullRows; r += BLOCK) {
    for (let c = 0; c < fullCols; c += BLOCK) {
      const height = min(BLOCK, fullRows - r);
      const width = min(BLOCK, fullCols - c);
      for (let i = 0; i < height; i += 4) {
        for (let j = 0; j < width; j += 4) {
          transposeTile32(
            x + ((<usize>((r + i) * cols + c + j)) << 2),
            (<usize>cols) << 2,
            out + ((<usize>((c + j) * rows + r + i)) << 2),
            (<usize>rows) << 2,
          );
        }
      }
    }
  }
  transposeRest<u32>(x, rows, cols, out, fullRows, fullCols);
}

@inline
function transposeTile32(from: usize, fromStride: usize, to: usize, toStride: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + fromStride);
  const c = v128.load(from + 2 * fromStride);
  const d = v128.load(from + 3 * fromStride);
  const abLow = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const abHigh = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cdLow = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const cdHigh = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(abLow, cdLow, 0, 2));
  v128.store(to + toStride, i64x2.shuffle(abLow, cdLow, 1, 3));
  v128.store(to + 2 * toStride, i64x2.shuffle(abHigh, cdHigh, 0, 2));
  v128.store(to + 3 * toStride, i64x2.shuffle(abHigh, cdHigh, 1, 3));
}

/** What the tiles left: the columns from `fullCols`, and all of the rows from `fullRows`. */
@inline
function transposeRest<T>(
  x: usize,
  rows: i32,
  cols: i32,
  out: usize,
  fullRows: i32,
  fullCols: i32,
): void {
  for (let r = 0; r < rows; r++) {
    for (let c = r < fullRows ? fullCols : 0; c < cols; c++) {
      store<T>(
        out + <usize>(c * rows + r) * sizeof<T>(),
        load<T>(x + <usize>(r * cols + c) * sizeof<T>()),
      );
    }
  }
}
