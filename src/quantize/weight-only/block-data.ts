/**
 * @file Codes, scales and zero points that come out of one computation but are written one after the other.
 */
import type { ByteSink } from "../../onnx/source.ts";
import { ComputedData, type TensorData } from "../../onnx/tensor-data.ts";

/** One piece of a weight in output order: bytes that are only lent, like those of a `ByteSink`. */
export interface Piece {
  codes: Uint8Array;
  scales: Uint8Array;
  zeroPoints: Uint8Array;
}

export interface BlockData {
  codes: TensorData;
  scales: TensorData;
  /** Of length 0 where there are none. */
  zeroPoints: TensorData;
}

/** Larger parameters are computed again instead of kept, so that memory stays bounded. */
const MOST_KEPT_BYTES = 12 << 20;

/**
 * Three lazy tensors over one computation. Writing the codes keeps the scales and zero points until they
 * are written too; asked for without the codes, they are computed anew.
 * @param compute sends all pieces in order; called once per use, `first` when the codes are wanted
 */
export function blockData(
  bytes: { codes: number; scales: number; zeroPoints: number },
  compute: (send: (piece: Piece) => Promise<void>, codesWanted: boolean) => Promise<void>,
): BlockData {
  const keepable = bytes.scales + bytes.zeroPoints <= MOST_KEPT_BYTES;
  const kept: { scales?: Uint8Array; zeroPoints?: Uint8Array } = {};

  const codes = new ComputedData(bytes.codes, async (sink) => {
    const scales = new Uint8Array(keepable ? bytes.scales : 0);
    const zeroPoints = new Uint8Array(keepable ? bytes.zeroPoints : 0);
    let scalesFilled = 0;
    let zeroPointsFilled = 0;
    await compute(async (piece) => {
      if (keepable) {
        scales.set(piece.scales, scalesFilled);
        zeroPoints.set(piece.zeroPoints, zeroPointsFilled);
        scalesFilled += piece.scales.length;
        zeroPointsFilled += piece.zeroPoints.length;
      }
      await sink.write(piece.codes);
    }, true);
    if (!keepable) return;
    kept.scales = scales;
    if (bytes.zeroPoints > 0) kept.zeroPoints = zeroPoints;
  });

  const parameter = (name: "scales" | "zeroPoints"): TensorData =>
    new ComputedData(bytes[name], async (sink: ByteSink) => {
      const ready = kept[name];
      if (ready) {
        delete kept[name];
        return await sink.write(ready);
      }
      await compute(async (piece) => {
        await sink.write(piece[name]);
      }, false);
    });
  return { codes, scales: parameter("scales"), zeroPoints: parameter("zeroPoints") };
}
