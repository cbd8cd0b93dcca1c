/**
 * @file MatMulNBits weights by half-quadratic quantization (Badri & Shaji 2023): zero points are fitted, and
 * float32 like the scales.
 *
 * codes [N, blocks, blockSize·bits/8], scales and zero points [N · blocks]. As onnxruntime 1.30's
 * HQQWeightOnlyQuantizer up to the rounding of its float32 sums: a zero point differs in its last digits, a
 * code where a weight lies between two of them. A matrix above about 2.9 million weights is fitted in
 * panels of columns, each of which stops when its own error no longer falls.
 */
import type { Arena } from "../../kernels/arena.ts";
import { type BlockData, blockData, type KeptParameters } from "./block-data.ts";
import { BlockError } from "./block-error.ts";
import { eachTransposed, type Matrix, scratchBytes } from "./matrix.ts";
import type { BlockSettings } from "./options.ts";
import { packedSizes } from "./packed-blocks.ts";

/** What `eachTransposed` takes beside the panel, with a margin. */
const READING_BYTES = 9 << 20;

export function hqqBlocks(
  matrix: Matrix,
  settings: BlockSettings,
  arena: Arena,
  kept: KeptParameters,
  onError: (signal: number, error: number) => void,
): BlockData {
  const { bits, blockSize } = settings;
  const { rows, columns } = matrix;
  const { blocks, blobBytes } = packedSizes(rows, blockSize, bits);
  return blockData(
    {
      codes: columns * blocks * blobBytes,
      scales: columns * blocks * 4,
      zeroPoints: columns * blocks * 4,
    },
    kept,
    async (send, codesWanted) => {
      const mark = arena.mark();
      const error = new BlockError(bits, rows * columns);
      const perColumn = rows * 4 + blocks * (blockSize + 8);
      const width = Math.min(
        columns,
        Math.max(1, Math.floor((scratchBytes(matrix, arena) - READING_BYTES) / perColumn)),
      );
      const x = arena.allocate(width * rows * 4);
      const codes = arena.allocate(width * blocks * blockSize);
      const scales = arena.allocate(width * blocks * 4);
      const zeroPoints = arena.allocate(width * blocks * 4);
      let filled = 0;

      const flush = async (): Promise<void> => {
        const { kernels } = arena;
        kernels.hqqRowBlocks(x, filled, rows, blockSize, bits, codes, scales, zeroPoints);
        const parameters = filled * blocks;
        if (codesWanted) {
          const q = arena.view(codes, parameters * blockSize);
          const scale = arena.float32(scales, parameters);
          const zero = arena.float32(zeroPoints, parameters);
          error.addElements(arena.float32(x, filled * rows), (i) => {
            const row = i % rows;
            const block = Math.floor(i / rows) * blocks + Math.floor(row / blockSize);
            const code = q[block * blockSize + (row % blockSize)] ?? 0;
            return Math.fround((code - (zero[block] ?? 0)) * (scale[block] ?? 0));
          });
        }
        // blocks are whole bytes, so the codes of all of them are packed at once, in place
        if (bits < 8) kernels.packCodes(codes, parameters * blockSize, bits, codes);
        await send({
          codes: arena.view(codes, parameters * blobBytes),
          scales: arena.view(scales, parameters * 4),
          zeroPoints: arena.view(zeroPoints, parameters * 4),
        });
        filled = 0;
      };

      try {
        const nothing = (): void => {};
        await eachTransposed(matrix, arena, 1, nothing, async (_, count, pointer) => {
          for (let done = 0; done < count;) {
            const part = Math.min(count - done, width - filled);
            const from = pointer + done * rows * 4;
            arena.bytes.copyWithin(x + filled * rows * 4, from, from + part * rows * 4);
            filled += part;
            done += part;
            if (filled === width) await flush();
          }
        });
        if (filled > 0) await flush();
      } finally {
        arena.release(mark);
      }
      if (codesWanted) onError(error.signal, error.error);
    },
  );
}
