/** @file Kernels on vectors that lie outside their memory: tile by tile through the arena, which stays in the cache. */
import type { Arena } from "../../kernels/arena.ts";

/** Elements of a tile: four vectors of it take 64 KiB. */
const TILE = 4096;

/**
 * Calls `kernel` with pointers to a tile of each vector and its elements, until all were dealt with.
 * @param changed vectors that the kernel writes; they are copied back
 * @param read vectors that it only reads; their pointers come behind
 */
export function tiled(
  arena: Arena,
  changed: readonly Float32Array[],
  read: readonly Float32Array[],
  kernel: (pointers: readonly number[], n: number) => void,
): void {
  const mark = arena.mark();
  const vectors = [...changed, ...read];
  const pointers = vectors.map(() => arena.allocate(4 * TILE));
  const length = vectors[0]?.length ?? 0;
  const tiles = pointers.map((pointer) => arena.float32(pointer, TILE));
  for (let start = 0; start < length; start += TILE) {
    const n = Math.min(TILE, length - start);
    vectors.forEach((vector, i) => tiles[i]?.set(vector.subarray(start, start + n)));
    kernel(pointers, n);
    changed.forEach((vector, i) => {
      const tile = tiles[i];
      if (tile) vector.set(n === TILE ? tile : tile.subarray(0, n), start);
    });
  }
  arena.release(mark);
}
