/**
 * @file Weights pruned at one threshold, whose equal magnitudes are pruned up to a number over all of them together.
 *
 * The first ones in storage order go, over the weights in the file's order. How many of them a weight holds is
 * known once it has been written; whoever is written out of order has the weights before it counted.
 */
import type { Arena } from "../kernels/arena.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import type { RankedMagnitude } from "./magnitude-counts.ts";
import type { Mask, Zeroer } from "./mask.ts";
import { pruningChunks } from "./pruning-chunks.ts";

export class SharedTies {
  readonly #tensors: readonly Tensor[];
  readonly #threshold: RankedMagnitude;
  /** Ties left when each weight begins, as far as they are known. */
  readonly #left: (number | undefined)[];

  constructor(tensors: readonly Tensor[], threshold: RankedMagnitude) {
    // as they are now: a pass replaces the data of the weights themselves
    this.#tensors = tensors.map((tensor) => ({ ...tensor }));
    this.#threshold = threshold;
    this.#left = [threshold.ties];
  }

  mask(index: number): Mask {
    const { bits } = this.#threshold;
    const elements = elementCount(this.#tensors[index]?.dims ?? []);
    return {
      multipleOf: 1,
      section: elements,
      prepare: async (arena) => await this.#countBefore(index, arena),
      begin: (arena): Zeroer => {
        let left = this.#known(index);
        let done = 0;
        return (pointer, count) => {
          // the kernel counts in i32
          left -= arena.kernels.zeroBelow(pointer, count, bits, Math.min(left, count));
          done += count;
          if (done === elements) this.#left[index + 1] = left;
        };
      },
    };
  }

  #known(index: number): number {
    const left = this.#left[index];
    if (left === undefined)
      throw new TypeError(`prune: the ties before weight ${index} are not counted`);
    return left;
  }

  async #countBefore(index: number, arena: Arena): Promise<void> {
    for (let at = 0; at < index; at++) {
      if (this.#left[at + 1] !== undefined) continue;
      this.#left[at + 1] = await this.#countIn(at, this.#known(at), arena);
    }
  }

  /** @returns the ties left behind the weight; stops reading at the last one */
  async #countIn(index: number, before: number, arena: Arena): Promise<number> {
    const tensor = this.#tensors[index];
    if (!tensor || before === 0) return before;
    let left = before;
    const mark = arena.mark();
    const chunks = pruningChunks(tensor, arena);
    await chunks.each(0, elementCount(tensor.dims), (_first, length, pointer) => {
      left -= arena.kernels.zeroBelow(
        pointer,
        length,
        this.#threshold.bits,
        Math.min(left, length),
      );
    });
    arena.release(mark);
    return left;
  }
}
