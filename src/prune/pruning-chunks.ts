/** @file How pruning cuts a weight into chunks. */
import type { Arena } from "../kernels/arena.ts";
import { CHUNK_ELEMENTS, type WeightChunks, weightChunks } from "../kernels/weight-chunks.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";

/** 1 MiB of float32: pruning does little per element, and 4 MiB that leave the cache took 1.4 times as long. */
export const PRUNING_CHUNK = 1 << 18;

/** The weight's chunks, which end at multiples of `multipleOf` elements. The caller releases the arena. */
export function pruningChunks(tensor: Tensor, arena: Arena, multipleOf = 1): WeightChunks {
  return weightChunks(tensor, arena, elementCount(tensor.dims), multipleOf, PRUNING_CHUNK);
}

/** Most elements of a chunk. */
export function chunkCapacity(elements: number, multipleOf: number): number {
  return Math.min(elements, CHUNK_ELEMENTS, Math.max(PRUNING_CHUNK, multipleOf));
}
