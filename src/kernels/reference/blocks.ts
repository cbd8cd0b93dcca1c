/**
 * @file MatMulNBits weights: blocks of rows (K) of B [K, N], packed per column.
 *
 * The arithmetic and layout of onnxruntime 1.30's `quantize_matmul_2bits`, `_4bits` and `_8bits`
 * (`MlasQuantizeBlockwise`, onnxruntime/core/mlas/lib/q4_dq.cpp). Every step is rounded to float32.
 */
import { extremes } from "./ranges.ts";
import { clamp, halfAwayFromZero } from "./rounding.ts";

export interface PackedBlocks {
  /** [N, blocks, blockSize · bits / 8], low bits first. */
  readonly packed: Uint8Array;
  /** [N, blocks] */
  readonly scales: Float32Array;
  /** [N, ceil(blocks · bits / 8)], low bits first; all zero when symmetric. */
  readonly zeroPoints: Uint8Array;
}

export function packBlocks(
  weights: Float32Array,
  shape: { readonly rows: number; readonly cols: number },
  settings: { readonly bits: 2 | 4 | 8; readonly blockSize: number; readonly symmetric: boolean },
): PackedBlocks {
  const { rows, cols } = shape;
  const { bits, blockSize, symmetric } = settings;
  const perByte = 8 / bits;
  const blocks = Math.ceil(rows / blockSize);
  const columnBytes = (blocks * blockSize) / perByte;
  const zeroPointBytes = Math.ceil(blocks / perByte);
  const packed = new Uint8Array(cols * columnBytes);
  const scales = new Float32Array(cols * blocks);
  const zeroPoints = new Uint8Array(cols * zeroPointBytes);

  for (let c = 0; c < cols; c++) {
    const parameters: BlockParameters[] = [];
    for (let b = 0; b < blocks; b++) {
      const end = Math.min(rows, (b + 1) * blockSize);
      const block: number[] = [];
      for (let r = b * blockSize; r < end; r++) block.push(weights[r * cols + c] ?? 0);
      const found = symmetric ? symmetricBlock(block, bits) : asymmetricBlock(block, bits);
      parameters.push(found);
      scales[c * blocks + b] = found.scale;
    }

    if (!symmetric) {
      // slots of blocks that do not exist hold the middle code
      for (let b = 0; b < zeroPointBytes * perByte; b++) {
        const zeroPoint = parameters[b]?.zeroPoint ?? 2 ** (bits - 1);
        const at = c * zeroPointBytes + Math.floor(b / perByte);
        zeroPoints[at] = (zeroPoints[at] ?? 0) | (zeroPoint << ((b % perByte) * bits));
      }
    }

    // ONNX Runtime packs runs of `perByte` blocks. Codes linger in its byte: where the last row does
    // not fill one, the rest repeats the byte before, or is zero at a run's start.
    const byte: number[] = [];
    for (let r = 0; r < rows; r += perByte) {
      if (r % (blockSize * perByte) === 0) byte.fill(0);
      for (let k = 0; k < perByte && r + k < rows; k++) {
        const { scale, zeroPoint } = parameters[Math.floor((r + k) / blockSize)] ?? NOTHING;
        byte[k] = code(weights[(r + k) * cols + c] ?? 0, scale, zeroPoint, bits);
      }
      packed[c * columnBytes + r / perByte] = byte.reduce(
        (all, q, k) => all | (q << (k * bits)),
        0,
      );
    }
  }
  return { packed, scales, zeroPoints };
}

interface BlockParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

const NOTHING: BlockParameters = { scale: 0, zeroPoint: 0 };

/** The range, widened to hold 0, spread over all codes. */
function asymmetricBlock(block: readonly number[], bits: number): BlockParameters {
  const most = 2 ** bits - 1;
  const low = Math.min(0, ...block);
  const high = Math.max(0, ...block);
  const scale = Math.fround(Math.fround(high - low) / most);
  const exact = scale === 0 ? low : Math.fround(0 - Math.fround(low / scale));
  return { scale, zeroPoint: halfAwayFromZero(clamp(exact, 0, most)) };
}

/** The extreme of larger magnitude becomes code 0, that is −2^(bits − 1) steps. */
function symmetricBlock(block: readonly number[], bits: number): BlockParameters {
  const { low, high } = extremes(block);
  const extreme = Math.abs(high) > Math.abs(low) ? high : low;
  return { scale: Math.fround(-extreme / 2 ** (bits - 1)), zeroPoint: 2 ** (bits - 1) };
}

function code(x: number, scale: number, zeroPoint: number, bits: number): number {
  const reciprocal = scale === 0 ? 0 : Math.fround(1 / scale);
  const exact = Math.fround(Math.fround(x * reciprocal) + zeroPoint);
  return clamp(halfAwayFromZero(exact), 0, 2 ** bits - 1);
}
