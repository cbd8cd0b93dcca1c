/** @file Codecs by the names that options use. */
import type { Codec, CodecName } from "./codec.ts";
import { bfloat16, float16 } from "./half.ts";
import { int8 } from "./int8.ts";
import { none } from "./none.ts";
import { topK } from "./top-k.ts";

/** Part of the values that `top_k` sends unless told otherwise. */
const TOP_K_RATIO = 0.01;

/**
 * The codec of that name. `int8` and `top_k` want a residual (`EncodingOptions`), the others can do with one.
 * @param ratio part of the values that `top_k` keeps (default 0.01)
 * @throws RangeError unless 0 < ratio ≤ 1
 */
export function codecNamed(name: CodecName, ratio = TOP_K_RATIO): Codec {
  switch (name) {
    case "none":
      return none;
    case "float16":
      return float16;
    case "bfloat16":
      return bfloat16;
    case "int8":
      return int8;
    case "top_k":
      return topK(ratio);
  }
}
