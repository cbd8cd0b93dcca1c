/** @file A weight times one factor an element, computed while it streams. */
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import type { ByteSink } from "../onnx/source.ts";
import { ComputedData, type TensorData } from "../onnx/tensor-data.ts";

type Floats = Float32Array | Float64Array | Float16Array;

const VIEWS: Readonly<Partial<Record<DataType, (bytes: Uint8Array<ArrayBuffer>) => Floats>>> = {
  [DataType.float32]: ({ buffer }) => new Float32Array(buffer),
  [DataType.float64]: ({ buffer }) => new Float64Array(buffer),
  [DataType.float16]: ({ buffer }) => new Float16Array(buffer),
};

/** Bytes that are computed at a time. */
const PIECE_BYTES = 1 << 18;

export function isScalable(dataType: DataType): boolean {
  return VIEWS[dataType] !== undefined;
}

type FactorAt = (index: number) => number;

/** What each scaled data was made of, so that scaling it again rounds once too. */
const SCALED = new WeakMap<TensorData, { of: Tensor; factorAt: FactorAt }>();

/**
 * The products are those of float64, rounded once to the tensor's type.
 * @param factorAt of the element at an index, counted in storage order
 * @throws TypeError for types other than float16, float32 and float64
 */
export function scaledData(tensor: Tensor, factorAt: FactorAt): TensorData {
  const { data, dataType, dims } = tensor;
  const scaled = SCALED.get(data);
  if (scaled) {
    return scaledData(scaled.of, (index) => scaled.factorAt(index) * factorAt(index));
  }
  const view = VIEWS[dataType];
  if (!view) throw new TypeError(`simplify: "${tensor.name}" of type ${dataType} cannot be scaled`);
  const width = data.byteLength / Math.max(1, elementCount(dims));
  const result = new ComputedData(data.byteLength, async (sink) => {
    let first = 0;
    const pieces = new Pieces(async (bytes) => {
      const values = view(bytes);
      for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * factorAt(first + i);
      first += bytes.length / width;
      await sink.write(bytes);
    });
    await data.stream(pieces);
    await pieces.end();
  });
  SCALED.set(result, { of: tensor, factorAt });
  return result;
}

/** Gathers what a stream lends into pieces of whole elements that may be written to. */
class Pieces implements ByteSink {
  readonly #use: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  #piece = new Uint8Array(PIECE_BYTES);
  #filled = 0;

  constructor(use: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>) {
    this.#use = use;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, this.#piece.length - this.#filled);
      this.#piece.set(bytes.subarray(done, done + length), this.#filled);
      done += length;
      this.#filled += length;
      if (this.#filled < this.#piece.length) continue;
      await this.#use(this.#piece);
      this.#filled = 0;
    }
  }

  async end(): Promise<void> {
    if (this.#filled > 0) await this.#use(this.#piece.slice(0, this.#filled));
    this.#filled = 0;
  }
}
