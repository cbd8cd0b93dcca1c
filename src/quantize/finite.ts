/**
 * @file When a pass learns that a weight holds NaN or Inf: before it plans, or while the weight is written.
 *
 * Looking first reads every weight twice, but what stays float is known before the first byte goes out. Who can
 * start the output again (a file) looks while writing, reads once, and begins anew in the rare other case.
 */
import type { Arena } from "../kernels/arena.ts";
import { weightChunks } from "../kernels/weight-chunks.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { ComputedData, type TensorData } from "../onnx/tensor-data.ts";

export type FiniteCheck = "before" | "while_writing";

/** A weight that was taken for finite is not: the output is void and has to be planned again, with "before". */
export class NonFiniteWeightError extends Error {
  override readonly name = "NonFiniteWeightError";

  constructor(weight: string) {
    super(
      `quantize: "${weight}" holds NaN or Inf, or its range overflows, and was planned as finite`,
    );
  }
}

/** |x| as float32 bits at 2^127: a range between values below it does not overflow. */
const OVERFLOW_BITS = 0x7f00_0000;

/** Read and looked at together, so that it is in the second-level cache when it is looked at. */
const PIECE_BYTES = 512 << 10;

/**
 * The tensor, with a look at every element on its way into the arena.
 * @returns `undefined` where that cannot be (other types than float32, computed data): look before
 */
function checkedTensor(tensor: Tensor, arena: Arena): Tensor | undefined {
  const { data, name } = tensor;
  if (tensor.dataType !== DataType.float32 || data instanceof ComputedData) return undefined;
  const checked: TensorData = {
    byteLength: data.byteLength,
    inMemory: data.inMemory,
    stream: (sink) => data.stream(sink),
    async read(offset, into) {
      for (let done = 0; done < into.length; done += PIECE_BYTES) {
        const piece = into.subarray(done, done + PIECE_BYTES);
        await data.read(offset + done, piece);
        const bits = arena.kernels.absMaxBits(piece.byteOffset, piece.length / 4);
        if (bits >= OVERFLOW_BITS) throw new NonFiniteWeightError(name);
      }
    },
  };
  return { ...tensor, data: checked };
}

/** False when the tensor holds NaN, Inf, or values whose range overflows float32. */
async function isBounded(tensor: Tensor, arena: Arena): Promise<boolean> {
  const mark = arena.mark();
  const count = tensor.dims.reduce((a, b) => a * b, 1);
  const chunks = weightChunks(tensor, arena, count);
  let most = 0;
  await chunks.each(0, count, (_, length) => {
    most = Math.max(most, arena.kernels.absMaxBits(chunks.pointer, length));
  });
  arena.release(mark);
  return most < OVERFLOW_BITS;
}

/**
 * The tensor as block quantization reads it.
 * @returns `undefined` when it is known not to be bounded
 */
export async function boundedTensor(
  tensor: Tensor,
  check: FiniteCheck,
  arena: Arena,
): Promise<Tensor | undefined> {
  const checked = check === "while_writing" ? checkedTensor(tensor, arena) : undefined;
  if (checked) return checked;
  return (await isBounded(tensor, arena)) ? tensor : undefined;
}
