/** @file The data of a pruned weight, produced chunk by chunk when it is asked for. */
import type { Arena } from "../kernels/arena.ts";
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { ComputedData } from "../onnx/tensor-data.ts";
import type { Mask } from "./mask.ts";
import { chunkCapacity, pruningChunks } from "./pruning-chunks.ts";

/** Elements between two looks at the error: a block and its copy stay in the second-level cache. */
const BLOCK_ELEMENTS = 1 << 16;

/** Weights up to here are compared element by element; of larger ones every eighth block is. */
const EXACT_ELEMENTS = 1 << 20;
const MEASURED_EVERY = 8;

/** Σx² and Σ(x − x̂)² of a weight, or of a part of it where it is large. */
export type OnError = (signal: number, error: number) => void;

/** The weight with zeros where the mask takes elements, in the weight's own type. */
export function prunedData(
  tensor: Tensor,
  mask: Mask,
  arena: Arena,
  onError: OnError,
): ComputedData {
  return new ComputedData(tensor.data.byteLength, async (sink) => {
    const elements = elementCount(tensor.dims);
    const mark = arena.mark();
    const encode = encoder(tensor.dataType, chunkCapacity(elements, mask.multipleOf), arena);
    await eachPruned(
      tensor,
      mask,
      arena,
      async (pointer, count) => await sink.write(encode(pointer, count)),
      onError,
    );
    arena.release(mark);
  });
}

/** Turns float32 elements in the arena into bytes of a type; the bytes are lent until the next call. */
export function encoder(
  dataType: DataType,
  capacity: number,
  arena: Arena,
): (pointer: number, count: number) => Uint8Array {
  if (dataType === DataType.float32) return (pointer, count) => arena.view(pointer, count * 4);
  const out = arena.allocate(capacity * 2);
  const { kernels } = arena;
  // each value came from this very type, so nothing is rounded
  return (pointer, count) => {
    if (dataType === DataType.float16) kernels.float16FromFloat32(pointer, count, out, 0, Infinity);
    else kernels.bfloat16FromFloat32(pointer, count, out);
    return arena.view(out, count * 2);
  };
}

/**
 * Streams the weight's float32 elements with the mask's zeros in them: `visit` gets chunks in order,
 * `first` is the index of the chunk's first element. The error is summed when `onError` is given.
 */
export async function eachPruned(
  tensor: Tensor,
  mask: Mask,
  arena: Arena,
  visit: (pointer: number, count: number, first: number) => Promise<void> | void,
  onError?: OnError,
): Promise<void> {
  const elements = elementCount(tensor.dims);
  const { multipleOf, section } = mask;
  const block = Math.min(
    elements,
    Math.max(1, Math.floor(BLOCK_ELEMENTS / multipleOf)) * multipleOf,
  );
  await mask.prepare?.(arena);
  const mark = arena.mark();
  const sums = arena.allocate(16);
  arena.float64(sums, 2).fill(0);
  const original = onError ? arena.allocate(block * 4) : 0;
  const zero = mask.begin(arena, block);
  const chunks = pruningChunks(tensor, arena, multipleOf);
  for (let from = 0; from < elements; from += section) {
    await chunks.each(from, Math.min(elements, from + section), async (first, count) => {
      for (let done = 0; done < count; done += block) {
        const length = Math.min(block, count - done);
        const at = chunks.pointer + done * 4;
        const index = Math.floor((first + done) / block);
        const measured = onError && (elements <= EXACT_ELEMENTS || index % MEASURED_EVERY === 0);
        if (measured) arena.bytes.copyWithin(original, at, at + length * 4);
        zero(at, length);
        if (measured) arena.kernels.squaredError(original, at, length, sums);
      }
      await visit(chunks.pointer, count, first);
    });
  }
  const [signal = 0, error = 0] = arena.float64(sums, 2);
  arena.release(mark);
  onError?.(signal, error);
}

/** How many elements are not ±0 after pruning. */
export async function countNonzero(tensor: Tensor, mask: Mask, arena: Arena): Promise<number> {
  let zeros = 0;
  await eachPruned(tensor, mask, arena, (pointer, count) => {
    zeros += arena.kernels.countZeros(pointer, count);
  });
  return elementCount(tensor.dims) - zeros;
}
