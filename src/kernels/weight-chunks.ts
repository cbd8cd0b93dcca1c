/** @file A weight's elements as float32 in the arena, chunk by chunk, so that memory does not grow with the weight. */
import type { Arena } from "./arena.ts";
import { DataType, dataTypeName } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import type { ByteSink } from "../onnx/source.ts";
import { ComputedData } from "../onnx/tensor-data.ts";

/** Most elements at a time: 4 MiB of float32. */
export const CHUNK_ELEMENTS = 1 << 20;

export interface WeightChunks {
  /** Where each chunk's float32 elements lie in the arena; of a held weight, where the first one's do. */
  readonly pointer: number;
  /**
   * Loads the elements [from, to) in order and calls `process` for each chunk of at most
   * `CHUNK_ELEMENTS`; `first` is the index of the chunk's first element in the tensor, `pointer` where it lies.
   */
  each(from: number, to: number, process: ProcessChunk): Promise<void>;
}

type ProcessChunk = (first: number, count: number, pointer: number) => void | Promise<void>;

/**
 * Reserves the scratch for a float32, float16 or bfloat16 weight (4 or 6 MiB, less for a small one).
 * The caller releases the arena.
 * @param multipleOf chunks end at multiples of this many elements, where it is at most `CHUNK_ELEMENTS`
 * @param wanted elements of a chunk, if `multipleOf` allows: fewer than the most keep a chunk in the cache
 * @throws TypeError for other element types
 */
export function weightChunks(
  tensor: Tensor,
  arena: Arena,
  count: number,
  multipleOf = 1,
  wanted = CHUNK_ELEMENTS,
): WeightChunks {
  const decode = decoder(tensor, arena);
  const whole = Math.max(1, Math.floor(wanted / multipleOf)) * multipleOf;
  const capacity = Math.max(1, Math.min(count, whole, CHUNK_ELEMENTS));
  const pointer = arena.allocate(capacity * 4);
  const stored = decode ? arena.allocate(capacity * 2) : pointer;
  const width = decode ? 2 : 4;
  const finish = async (first: number, length: number, process: ProcessChunk): Promise<void> => {
    decode?.(stored, length, pointer);
    await process(first, length, pointer);
  };
  return {
    pointer,
    async each(from, to, process) {
      if (tensor.data instanceof ComputedData) {
        const sink = new ChunkSink(
          arena,
          stored,
          { from: from * width, to: to * width },
          capacity * width,
        );
        sink.onFull = (offset, length) => finish(offset / width, length / width, process);
        return await tensor.data.stream(sink);
      }
      for (let first = from; first < to;) {
        const length = Math.min(capacity, to - first);
        await tensor.data.read(first * width, arena.view(stored, length * width));
        await finish(first, length, process);
        first += length;
      }
    },
  };
}

/**
 * The same with all elements held: the first pass loads them, each chunk right before it is processed, and
 * later passes find them in the arena. For weights of which more than one pass is made.
 * Passes go over the whole weight, and its data is not computed.
 */
export function heldChunks(
  tensor: Tensor,
  arena: Arena,
  count: number,
  multipleOf = 1,
): WeightChunks {
  const decode = decoder(tensor, arena);
  const capacity = Math.max(multipleOf, Math.floor(HELD_CHUNK / multipleOf) * multipleOf);
  const pointer = arena.allocate(count * 4);
  const stored = decode ? arena.allocate(capacity * 2) : 0;
  let loaded = 0;
  return {
    pointer,
    async each(from, to, process) {
      for (let first = from; first < to;) {
        const length = Math.min(capacity, to - first);
        const at = pointer + first * 4;
        if (first >= loaded) {
          const into = decode ? arena.view(stored, length * 2) : arena.view(at, length * 4);
          await tensor.data.read(first * (decode ? 2 : 4), into);
          decode?.(stored, length, at);
          loaded = first + length;
        }
        await process(first, length, at);
        first += length;
      }
    },
  };
}

/** Elements of a held weight's chunk, 1 MiB of float32: it is still in the second-level cache when it has been read. */
export const HELD_CHUNK = 1 << 18;

/** The kernel that widens the tensor's elements to float32; `undefined` where they are. */
function decoder(
  tensor: Tensor,
  arena: Arena,
): ((from: number, count: number, to: number) => void) | undefined {
  switch (tensor.dataType) {
    case DataType.float32:
      return undefined;
    case DataType.float16:
      return (from, count, to) => arena.kernels.float32FromFloat16(from, count, to);
    case DataType.bfloat16:
      return (from, count, to) => arena.kernels.float32FromBfloat16(from, count, to);
    default:
      throw new TypeError(
        `kernels: "${tensor.name}" is ${dataTypeName(tensor.dataType)}, not float32, float16 or bfloat16`,
      );
  }
}

/** Collects the bytes [from, to) of a stream into chunks: data that is computed has no random access. */
class ChunkSink implements ByteSink {
  onFull: (offset: number, length: number) => Promise<void> = async () => {};
  readonly #arena: Arena;
  readonly #pointer: number;
  readonly #range: { from: number; to: number };
  readonly #capacity: number;
  #position = 0;
  #filled = 0;

  constructor(
    arena: Arena,
    pointer: number,
    range: { from: number; to: number },
    capacity: number,
  ) {
    this.#arena = arena;
    this.#pointer = pointer;
    this.#range = range;
    this.#capacity = capacity;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { from, to } = this.#range;
    let start = Math.min(bytes.length, Math.max(0, from - this.#position));
    const end = Math.max(start, Math.min(bytes.length, to - this.#position));
    const base = this.#position;
    this.#position += bytes.length;
    while (start < end) {
      const length = Math.min(end - start, this.#capacity - this.#filled);
      this.#arena
        .view(this.#pointer + this.#filled, length)
        .set(bytes.subarray(start, start + length));
      this.#filled += length;
      start += length;
      if (this.#filled === this.#capacity || base + start === to) {
        const full = this.#filled;
        this.#filled = 0;
        await this.onFull(base + start - full, full);
      }
    }
  }
}
