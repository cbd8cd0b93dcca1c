/** @file Chunks of a vector to payloads and back, with error feedback, and the sum of a chunk over the ranks. */
import type { Arena } from "../../kernels/arena.ts";
import { BLOCK, type Codec, encodedBytes } from "./codec.ts";

/**
 * Encodes `x`; with a residual, `x + residual`, and what that loses is the residual from now on (Seide et al. 2014).
 * @param residual as long as `x`
 * @param out of exactly `encodedBytes(codec, x.length)` bytes
 */
export function encodeChunk(
  arena: Arena,
  codec: Codec,
  x: Float32Array,
  out: Uint8Array,
  residual?: Float32Array,
): void {
  if (codec.lossless) return out.set(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  const mark = arena.mark();
  const values = arena.allocate(BLOCK * 4);
  const other = arena.allocate(BLOCK * 4);
  eachBlock(codec, x.length, (start, count, first, bytes) => {
    arena.float32(values, count).set(x.subarray(start, start + count));
    const block = out.subarray(first, first + bytes);
    const lost = residual?.subarray(start, start + count);
    if (lost) {
      arena.float32(other, count).set(lost);
      arena.kernels.accumulate(other, values, count);
    }
    codec.store(arena, values, count, block);
    if (lost) {
      codec.load(arena, block, count, other);
      arena.kernels.axpy(-1, other, values, count);
      lost.set(arena.float32(values, count));
    }
  });
  arena.release(mark);
}

/**
 * out = the values of `payload`.
 * @throws RangeError when the payload has not the size of `out.length` elements
 */
export function decodeChunk(
  arena: Arena,
  codec: Codec,
  payload: Uint8Array,
  out: Float32Array,
): void {
  checkSize(codec, payload, out.length);
  if (codec.lossless) {
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(payload);
  }
  const mark = arena.mark();
  const values = arena.allocate(BLOCK * 4);
  eachBlock(codec, out.length, (start, count, first, bytes) => {
    codec.load(arena, payload.subarray(first, first + bytes), count, values);
    out.set(arena.float32(values, count), start);
  });
  arena.release(mark);
}

/**
 * own = scale · (parts[0] + parts[1] + …), in that order, where the `undefined` part is `own` itself.
 * @throws RangeError when a part has not the size of `own.length` elements
 */
export function sumChunk(
  arena: Arena,
  codec: Codec,
  parts: readonly (Uint8Array | undefined)[],
  own: Float32Array,
  scale: number,
): void {
  for (const part of parts) if (part) checkSize(codec, part, own.length);
  const mark = arena.mark();
  const sum = arena.allocate(BLOCK * 4);
  const term = arena.allocate(BLOCK * 4);
  eachBlock(codec, own.length, (start, count, first, bytes) => {
    const mine = own.subarray(start, start + count);
    for (const [rank, part] of parts.entries()) {
      const pointer = rank === 0 ? sum : term;
      if (part) codec.load(arena, part.subarray(first, first + bytes), count, pointer);
      else arena.float32(pointer, count).set(mine);
      if (rank > 0) arena.kernels.accumulate(term, sum, count);
    }
    if (scale !== 1) arena.kernels.scale(scale, sum, count);
    mine.set(arena.float32(sum, count));
  });
  arena.release(mark);
}

function checkSize(codec: Codec, payload: Uint8Array, length: number): void {
  const need = encodedBytes(codec, length);
  if (payload.byteLength !== need) {
    throw new RangeError(
      `collectives: a payload of ${payload.byteLength} bytes for ${length} elements of ${codec.name}, which take ${need}`,
    );
  }
}

/** Calls back with each block's first element, elements, first byte and bytes. */
function eachBlock(
  codec: Codec,
  length: number,
  block: (start: number, count: number, first: number, bytes: number) => void,
): void {
  let first = 0;
  for (let start = 0; start < length; start += BLOCK) {
    const count = Math.min(BLOCK, length - start);
    const bytes = codec.blockBytes(count);
    block(start, count, first, bytes);
    first += bytes;
  }
}
