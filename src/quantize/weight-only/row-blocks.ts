/**
 * @file Blocks along the last axis in the tensor's own layout: the codes of GatherBlockQuantized, and of
 * DequantizeLinear where the contracted axis is the last one stored.
 *
 * codes [rows, cols], scales and zero points [rows, ceil(cols / blockSize)], all packed flat, low bits first.
 * NumPy's arithmetic, bit for bit as onnxruntime 1.30 quantizes Gather.
 */
import type { Arena } from "../../kernels/arena.ts";
import { CHUNK_ELEMENTS, weightChunks } from "../../kernels/weight-chunks.ts";
import type { Tensor } from "../../onnx/model.ts";
import { type BlockData, blockData, type KeptParameters } from "./block-data.ts";
import { BlockError } from "./block-error.ts";
import type { BlockSettings } from "./options.ts";

/** Pieces end on whole bytes of codes and of zero points when they have a multiple of this many rows. */
const ROWS_PER_BYTE = 4;

/** Elements of a piece, where rows are short: it stays in the second-level cache. */
const PIECE_ELEMENTS = 1 << 17;

/** False for rows that are too long for one piece. */
export function rowsFit(cols: number): boolean {
  return cols * ROWS_PER_BYTE <= CHUNK_ELEMENTS;
}

/** @param onError as of `packedBlocks` */
export function rowBlocks(
  tensor: Tensor,
  settings: BlockSettings,
  arena: Arena,
  kept: KeptParameters,
  onError: (signal: number, error: number) => void,
): BlockData {
  const { bits, blockSize, symmetric } = settings;
  const cols = tensor.dims.at(-1) ?? 0;
  const count = tensor.dims.reduce((a, b) => a * b, 1);
  const perRow = Math.ceil(cols / blockSize);
  const packedBytes = (codes: number): number => Math.ceil((codes * bits) / 8);
  return blockData(
    {
      codes: packedBytes(count),
      scales: (count / cols) * perRow * 4,
      zeroPoints: symmetric ? 0 : packedBytes((count / cols) * perRow),
    },
    kept,
    async (send, codesWanted) => {
      const mark = arena.mark();
      const { kernels } = arena;
      const error = new BlockError(bits, count);
      try {
        const chunks = weightChunks(tensor, arena, count, cols * ROWS_PER_BYTE, PIECE_ELEMENTS);
        const rowsAtMost = Math.min(count, Math.max(PIECE_ELEMENTS, cols * ROWS_PER_BYTE)) / cols;
        const codes = arena.allocate(rowsAtMost * cols);
        const scales = arena.allocate(Math.ceil(rowsAtMost) * perRow * 4);
        const zeroPoints = arena.allocate(Math.ceil(rowsAtMost) * perRow);
        const signed = symmetric ? 1 : 0;
        await chunks.each(0, count, async (_, length) => {
          const rows = length / cols;
          const x = chunks.pointer;
          kernels.quantizeRowBlocks(
            x,
            rows,
            cols,
            blockSize,
            bits,
            signed,
            signed,
            codes,
            scales,
            zeroPoints,
          );
          if (codesWanted) {
            const q = arena.view(codes, length);
            const scale = arena.float32(scales, rows * perRow);
            const zero = arena.view(zeroPoints, rows * perRow);
            error.addElements(arena.float32(x, length), (i) => {
              const block = Math.floor(i / cols) * perRow + Math.floor((i % cols) / blockSize);
              const code = symmetric ? ((q[i] ?? 0) << 24) >> 24 : (q[i] ?? 0) - (zero[block] ?? 0);
              return Math.fround(code * (scale[block] ?? 0));
            });
          }
          pack(arena, codes, length, bits);
          if (!symmetric) pack(arena, zeroPoints, rows * perRow, bits);
          await send({
            codes: arena.view(codes, packedBytes(length)),
            scales: arena.view(scales, rows * perRow * 4),
            zeroPoints: arena.view(zeroPoints, symmetric ? 0 : packedBytes(rows * perRow)),
          });
        });
      } finally {
        arena.release(mark);
      }
      if (codesWanted) onError(error.signal, error.error);
    },
  );
}

/** Packs codes in place: a byte is written after all that it replaces were read. */
function pack(arena: Arena, codes: number, count: number, bits: number): void {
  if (bits < 8) arena.kernels.packCodes(codes, count, bits, codes);
}
