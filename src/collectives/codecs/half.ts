/** @file 16-bit floats: float16 (11 bits of precision, clipped to ±65504) and bfloat16 (8 bits, the range of float32). */
import type { KernelExports } from "../../kernels/abi.ts";
import type { Arena } from "../../kernels/arena.ts";
import { BLOCK, type Codec, type CodecName } from "./codec.ts";

const FLOAT16_MAX = 65504;

/** Relative error at most 2^-11 above 6.1e-5; below 3e-8 to zero. */
export const float16: Codec = halfCodec(
  "float16",
  (kernels, x, n, out) => kernels.float16FromFloat32(x, n, out, 0, FLOAT16_MAX),
  (kernels, x, n, out) => kernels.float32FromFloat16(x, n, out),
);

/** Relative error at most 2^-8. */
export const bfloat16: Codec = halfCodec(
  "bfloat16",
  (kernels, x, n, out) => kernels.bfloat16FromFloat32(x, n, out),
  (kernels, x, n, out) => kernels.float32FromBfloat16(x, n, out),
);

type Conversion = (kernels: KernelExports, x: number, n: number, out: number) => void;

function halfCodec(name: CodecName, narrow: Conversion, widen: Conversion): Codec {
  return {
    name,
    lossless: false,
    blockBytes: (count) => count * 2,
    store(arena: Arena, pointer, count, out) {
      const mark = arena.mark();
      const half = arena.allocate(BLOCK * 2);
      narrow(arena.kernels, pointer, count, half);
      out.set(arena.view(half, count * 2));
      arena.release(mark);
    },
    load(arena: Arena, block, count, pointer) {
      const mark = arena.mark();
      const half = arena.allocate(BLOCK * 2);
      arena.bytes.set(block, half);
      widen(arena.kernels, half, count, pointer);
      arena.release(mark);
    },
  };
}
