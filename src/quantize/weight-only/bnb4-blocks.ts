/**
 * @file The weights of MatMulBnb4: bitsandbytes' NF4 and FP4 codes of Bᵀ, flat, blocks across rows.
 *
 * codes [ceil(N·K / 2)] (high nibble first), absmax [ceil(N·K / blockSize)]; as onnxruntime 1.30's MatMulBnb4Quantizer.
 */
import type { Arena } from "../../kernels/arena.ts";
import { type BlockData, blockData, type KeptParameters } from "./block-data.ts";
import { BlockError } from "./block-error.ts";
import { eachTransposed, type Matrix } from "./matrix.ts";

export const BNB4_QUANT_TYPES = { fp4: 0, nf4: 1 } as const;

/** Values of the codes, in units of absmax (QLoRA, appendix E; FP4 with a bias of 3). */
const FP4_MAGNITUDES = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];
const VALUES = {
  fp4: [...FP4_MAGNITUDES, ...FP4_MAGNITUDES.map((magnitude) => -magnitude)],
  nf4: [
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1,
  ],
};

/** Columns of B that make whole blocks. */
export function bnb4Columns(rows: number, blockSize: number): number {
  let [a, b] = [rows, blockSize];
  while (b > 0) [a, b] = [b, a % b];
  return blockSize / a;
}

export function bnb4Blocks(
  matrix: Matrix,
  type: "fp4" | "nf4",
  blockSize: number,
  arena: Arena,
  kept: KeptParameters,
  onError: (signal: number, error: number) => void,
): BlockData {
  const { rows, columns } = matrix;
  const kind = BNB4_QUANT_TYPES[type];
  const values = VALUES[type];
  const all = rows * columns;
  return blockData(
    { codes: Math.ceil(all / 2), scales: Math.ceil(all / blockSize) * 4, zeroPoints: 0 },
    kept,
    async (send, codesWanted) => {
      const mark = arena.mark();
      const error = new BlockError(4, all);
      let codes = 0;
      let absmax = 0;
      try {
        await eachTransposed(
          matrix,
          arena,
          bnb4Columns(rows, blockSize),
          (most) => {
            codes = arena.allocate(Math.ceil((most * rows) / 2));
            absmax = arena.allocate(Math.ceil((most * rows) / blockSize) * 4);
          },
          async (_, count, pointer) => {
            const length = count * rows;
            const parameters = Math.ceil(length / blockSize);
            arena.kernels.packBnb4(pointer, length, blockSize, kind, codes, absmax);
            if (codesWanted) {
              const packed = arena.view(codes, Math.ceil(length / 2));
              const largest = arena.float32(absmax, parameters);
              error.addElements(arena.float32(pointer, length), (i) => {
                const code = ((packed[i >> 1] ?? 0) >> (i % 2 === 0 ? 4 : 0)) & 15;
                return (values[code] ?? 0) * (largest[Math.floor(i / blockSize)] ?? 0);
              });
            }
            await send({
              codes: arena.view(codes, Math.ceil(length / 2)),
              scales: arena.view(absmax, parameters * 4),
              zeroPoints: new Uint8Array(0),
            });
          },
        );
      } finally {
        arena.release(mark);
      }
      if (codesWanted) onError(error.signal, error.error);
    },
  );
}
