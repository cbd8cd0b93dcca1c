/**
 * @file 8 bits a value and one float32 scale per group of 256: [scales][codes] in each block.
 *
 * A scale keeps 17 bits, so that 127 · scale is exact and the decoded values encode to the same bytes again. It is
 * rounded up, so that no code passes ±127. Error of a value: at most half its group's scale.
 */
import type { Arena } from "../../kernels/arena.ts";
import { BLOCK, type Codec } from "./codec.ts";

const GROUP = 256;
const GROUPS = BLOCK / GROUP;
/** Groups whose largest magnitude is below this are sent as zeros: their scale could not keep its 17 bits. */
const LEAST = 2 ** -100;
const DROPPED_BITS = 0x7f;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

export const int8: Codec = {
  name: "int8",
  lossless: false,
  blockBytes: (count) => Math.ceil(count / GROUP) * 4 + count,
  store(arena: Arena, pointer, count, out) {
    const mark = arena.mark();
    const scales = arena.allocate(GROUPS * 4);
    const codes = arena.allocate(BLOCK);
    const groups = Math.ceil(count / GROUP);
    const scale = arena.float32(scales, groups);
    for (let g = 0; g < groups; g++) {
      const start = g * GROUP;
      const n = Math.min(GROUP, count - start);
      const s = scaleOf(arena.kernels.absMaxBits(pointer + start * 4, n));
      scale[g] = s;
      if (s === 0) arena.view(codes + start, n).fill(0);
      else arena.kernels.quantizeInt8(pointer + start * 4, n, codes + start, s, 0);
    }
    out.set(arena.view(scales, groups * 4));
    out.set(arena.view(codes, count), groups * 4);
    arena.release(mark);
  },
  load(arena: Arena, block, count, pointer) {
    const mark = arena.mark();
    const scales = arena.allocate(GROUPS * 4);
    const codes = arena.allocate(BLOCK);
    const groups = Math.ceil(count / GROUP);
    arena.bytes.set(block.subarray(0, groups * 4), scales);
    arena.bytes.set(block.subarray(groups * 4), codes);
    const scale = arena.float32(scales, groups);
    for (let g = 0; g < groups; g++) {
      const start = g * GROUP;
      const n = Math.min(GROUP, count - start);
      arena.kernels.float32FromInt8(codes + start, n, scale[g] ?? 0, pointer + start * 4);
    }
    arena.release(mark);
  },
};

/** max / 127, rounded up to 17 bits; NaN where the group is not finite. */
function scaleOf(maxBits: number): number {
  word[0] = maxBits;
  const most = float[0] ?? 0;
  if (!Number.isFinite(most)) return Number.NaN;
  if (most < LEAST) return 0;
  float[0] = most / 127;
  const bits = word[0];
  word[0] = (bits + DROPPED_BITS) & ~DROPPED_BITS;
  // at the end of float32's range 127 · scale would overflow
  if (!Number.isFinite(Math.fround(127 * (float[0] ?? 0)))) word[0] = bits & ~DROPPED_BITS;
  return float[0] ?? 0;
}
