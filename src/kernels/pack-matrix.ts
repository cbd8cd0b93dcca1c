/**
 * @file A whole MatMulNBits weight at once: how the block kernels are called, block after block.
 *
 * Holds the matrix and its packed form in the arena together; streams of larger weights call the same
 * kernels by panels of columns (`quantize/weight-only/packed-blocks.ts`).
 */
import type { Arena } from "./arena.ts";
import type { PackedBlocks } from "./reference/blocks.ts";

/**
 * Packs B [rows (K), cols (N)] as onnxruntime 1.30's MatMulNBitsQuantizer does, bit for bit.
 *
 * The kernel completes partial bytes itself, so blocks go in order: where K does not fill the last byte of
 * a column, its spare bits repeat the byte before, as ONNX Runtime leaves them. Rows that pad the last block
 * are zero bytes, spare slots in the zero points hold the middle code.
 * @throws RangeError when weights and shape disagree or the arena is too small
 */
export function packMatrix(
  weights: Float32Array,
  shape: { readonly rows: number; readonly cols: number },
  settings: { readonly bits: 2 | 4 | 8; readonly blockSize: number; readonly symmetric: boolean },
  arena: Arena,
): PackedBlocks {
  const { rows, cols } = shape;
  const { bits, blockSize, symmetric } = settings;
  if (weights.length !== rows * cols) {
    throw new RangeError(`kernels: ${weights.length} weights are not [${rows}, ${cols}]`);
  }
  const { kernels } = arena;
  const pack = { 2: kernels.packBlocks2, 4: kernels.packBlocks4, 8: kernels.packBlocks8 }[bits];
  const blocks = Math.ceil(rows / blockSize);
  const columnBytes = (blocks * blockSize * bits) / 8;
  const zeroPointBytes = Math.ceil((blocks * bits) / 8);
  const mark = arena.mark();
  try {
    const x = arena.allocate(weights.byteLength);
    const packed = arena.allocate(cols * columnBytes);
    const scales = arena.allocate(cols * blocks * 4);
    const zeroPoints = arena.allocate(cols * zeroPointBytes);
    arena.float32(x, weights.length).set(weights);
    arena.view(zeroPoints, cols * zeroPointBytes).fill(0);
    for (let block = 0; block < blocks; block++) {
      const first = block * blockSize;
      pack(
        x + first * cols * 4,
        Math.min(blockSize, rows - first),
        cols,
        cols,
        block,
        blocks,
        blockSize,
        packed,
        columnBytes,
        scales,
        zeroPoints,
        zeroPointBytes,
        symmetric ? 1 : 0,
      );
    }
    return {
      packed: arena.view(packed, cols * columnBytes).slice(),
      scales: arena.float32(scales, cols * blocks).slice(),
      zeroPoints: arena.view(zeroPoints, cols * zeroPointBytes).slice(),
    };
  } finally {
    arena.release(mark);
  }
}
