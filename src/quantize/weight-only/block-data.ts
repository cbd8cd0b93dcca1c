/**
 * @file Codes, scales and zero points that come out of one computation but are written one after the other.
 */
import { ComputedData, type TensorData } from "../../onnx/tensor-data.ts";

/** Consecutive parts of the three tensors; lent, like the bytes of a `ByteSink`. */
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
 * The scales and zero points of the weight whose codes were written last, in one buffer for all weights
 * of a pass: they are small, but those of many weights would be many megabytes of garbage.
 */
export class KeptParameters {
  #buffer = new Uint8Array(0);
  #owner: object | undefined;

  /** A buffer of that many bytes, or `undefined` when that is too many. The former owner's bytes are lost. */
  claim(owner: object, byteLength: number): Uint8Array | undefined {
    this.#owner = undefined;
    if (byteLength > MOST_KEPT_BYTES) return undefined;
    if (this.#buffer.length < byteLength) this.#buffer = new Uint8Array(byteLength);
    this.#owner = owner;
    return this.#buffer.subarray(0, byteLength);
  }

  /** Forgets bytes that were not completed. */
  abandon(): void {
    this.#owner = undefined;
  }

  /** The owner's buffer, if it is still the last one. */
  of(owner: object): Uint8Array | undefined {
    return this.#owner === owner ? this.#buffer : undefined;
  }
}

/**
 * Three lazy tensors over one computation. Writing the codes keeps the scales and zero points until the next
 * weight's codes are written; asked for later, they are computed anew.
 * @param compute sends all pieces in order
 */
export function blockData(
  bytes: { codes: number; scales: number; zeroPoints: number },
  kept: KeptParameters,
  compute: (send: (piece: Piece) => Promise<void>, codesWanted: boolean) => Promise<void>,
): BlockData {
  const owner = {};
  const codes = new ComputedData(bytes.codes, async (sink) => {
    const parameters = kept.claim(owner, bytes.scales + bytes.zeroPoints);
    let scalesEnd = 0;
    let zeroPointsEnd = bytes.scales;
    try {
      await compute(async (piece) => {
        parameters?.set(piece.scales, scalesEnd);
        parameters?.set(piece.zeroPoints, zeroPointsEnd);
        scalesEnd += piece.scales.length;
        zeroPointsEnd += piece.zeroPoints.length;
        await sink.write(piece.codes);
      }, true);
    } catch (error) {
      kept.abandon();
      throw error;
    }
  });
  const parameter = (name: "scales" | "zeroPoints", start: number): TensorData =>
    new ComputedData(bytes[name], async (sink) => {
      const ready = kept.of(owner);
      if (ready) return await sink.write(ready.subarray(start, start + bytes[name]));
      await compute(async (piece) => {
        await sink.write(piece[name]);
      }, false);
    });
  return {
    codes,
    scales: parameter("scales", 0),
    zeroPoints: parameter("zeroPoints", bytes.scales),
  };
}
