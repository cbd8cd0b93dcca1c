/** @file Values as they are: float32, little-endian. */
import type { Codec } from "./codec.ts";

export const none: Codec = {
  name: "none",
  lossless: true,
  blockBytes: (count) => count * 4,
  store: (arena, pointer, count, out) => out.set(arena.view(pointer, count * 4)),
  load: (arena, block, _count, pointer) => arena.bytes.set(block, pointer),
};
