/**
 * @file Blocks along the first axis of a matrix [K, N] in its own layout: DequantizeLinear with axis 0.
 *
 * codes [K, N], scales and zero points [ceil(K / blockSize), N], packed flat, low bits first; bit for bit as
 * onnxruntime 1.30's `quantize_qdq_matmul_4bits`.
 */
import type { Arena } from "../../kernels/arena.ts";
import { type BlockData, blockData, type KeptParameters } from "./block-data.ts";
import { BlockError } from "./block-error.ts";
import { eachBand, type Matrix, scratchBytes } from "./matrix.ts";
import type { BlockSettings } from "./options.ts";

/** Input read at a time. */
const BAND_BYTES = 4 << 20;
/** Bands of an even number of blocks end on whole bytes of zero points, whatever N; of four for 2 bits. */
const BLOCKS_PER_BYTE = 4;

/** False for matrices that are too wide for four block rows in the scratch memory. */
export function bandsFit(matrix: Matrix, settings: BlockSettings, arena: Arena): boolean {
  const elements = matrix.columns * settings.blockSize * BLOCKS_PER_BYTE;
  return elements * 6 <= scratchBytes(matrix, arena);
}

/** @param onError as of `packedBlocks` */
export function columnBlocks(
  matrix: Matrix,
  settings: BlockSettings,
  arena: Arena,
  kept: KeptParameters,
  onError: (signal: number, error: number) => void,
): BlockData {
  const { bits, blockSize, symmetric } = settings;
  const { rows: allRows, columns } = matrix;
  const blocks = Math.ceil(allRows / blockSize);
  const packedBytes = (codes: number): number => Math.ceil((codes * bits) / 8);
  return blockData(
    {
      codes: packedBytes(allRows * columns),
      scales: blocks * columns * 4,
      zeroPoints: symmetric ? 0 : packedBytes(blocks * columns),
    },
    kept,
    async (send, codesWanted) => {
      const mark = arena.mark();
      const { kernels } = arena;
      const error = new BlockError(bits, allRows * columns);
      try {
        const group = blockSize * BLOCKS_PER_BYTE;
        const groups = Math.max(1, Math.floor(BAND_BYTES / (group * columns * 4)));
        const bandRows = Math.min(groups * group, Math.ceil(allRows / blockSize) * blockSize);
        const most = bandRows / blockSize;
        const pointer = arena.allocate(bandRows * columns * 4);
        const codes = arena.allocate(bandRows * columns);
        const scales = arena.allocate(most * columns * 4);
        const zeroPoints = arena.allocate(most * columns);
        const panel = { from: 0, count: columns, bandRows, pointer };
        await eachBand(matrix, arena, panel, async (_, rows) => {
          const parameters = Math.ceil(rows / blockSize) * columns;
          const symmetricFlag = symmetric ? 1 : 0;
          kernels.quantizeColumnBlocks(
            pointer,
            rows,
            columns,
            blockSize,
            bits,
            symmetricFlag,
            codes,
            scales,
            zeroPoints,
          );
          if (codesWanted) {
            const q = arena.view(codes, rows * columns);
            const scale = arena.float32(scales, parameters);
            const zero = arena.view(zeroPoints, parameters);
            error.addElements(arena.float32(pointer, rows * columns), (i) => {
              const block = Math.floor(i / columns / blockSize) * columns + (i % columns);
              const code = symmetric ? ((q[i] ?? 0) << 24) >> 24 : (q[i] ?? 0) - (zero[block] ?? 0);
              return Math.fround(code * (scale[block] ?? 0));
            });
          }
          if (bits < 8) {
            kernels.packCodes(codes, rows * columns, bits, codes);
            if (!symmetric) kernels.packCodes(zeroPoints, parameters, bits, zeroPoints);
          }
          await send({
            codes: arena.view(codes, packedBytes(rows * columns)),
            scales: arena.view(scales, parameters * 4),
            zeroPoints: arena.view(zeroPoints, symmetric ? 0 : packedBytes(parameters)),
          });
        });
      } finally {
        arena.release(mark);
      }
      if (codesWanted) onError(error.signal, error.error);
    },
  );
}
