/** @file The places of a MatMulNBits weight's scales and zero points: [column, block], zero points packed. */

/** Where the results of one block go; set once per call. */
export let block: i32 = 0;
let blocks: i32 = 0;
let scales: usize = 0;
let zeroPoints: usize = 0;
let zeroPointStride: usize = 0;

/** The scales and zero points of a tile's 16 columns, float32 and int32, on their way to their places. */
export const tileScales = memory.data(64, 16);
export const tileZeroPoints = memory.data(64, 16);

export function storeScales(column: i32, width: i32): void {
  let at = scales + ((<usize>(column * blocks + block)) << 2);
  for (let k: usize = 0; k < (<usize>width) << 2; k += 4, at += (<usize>blocks) << 2) {
    store<u32>(at, load<u32>(tileScales + k));
  }
}

/** Stores zero points low bits first; the slots of blocks that do not come keep the middle code. */
export function storeZeroPoints(bits: i32, column: i32, width: i32): void {
  const perByte = 8 / bits;
  const slot = block % perByte;
  const shift = slot * bits;
  const middle: u32 = 1 << (bits - 1);
  let at = zeroPoints + <usize>column * zeroPointStride + <usize>(block / perByte);
  let middles: u32 = 0;
  for (let k = 0; k < 8; k += bits) middles |= middle << k;
  for (let k: usize = 0; k < (<usize>width) << 2; k += 4, at += zeroPointStride) {
    const before = slot == 0 ? middles : load<u8>(at);
    store<u8>(at, before ^ ((load<u32>(tileZeroPoints + k) ^ middle) << shift));
  }
}

@inline
export function place(
  ofBlock: i32,
  ofBlocks: i32,
  scalesAt: usize,
  zeroPointsAt: usize,
  zeroPointBytes: usize,
): void {
  block = ofBlock;
  blocks = ofBlocks;
  scales = scalesAt;
  zeroPoints = zeroPointsAt;
  zeroPointStride = zeroPointBytes;
}
