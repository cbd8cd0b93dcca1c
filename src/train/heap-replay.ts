/**
 * @file Where a heap's top gets to while blocks come and go: the smallest hole that is large enough is taken, as
 * dlmalloc does with large blocks, so that what lies in holes too small for the next block counts as well.
 */

/** What a block has beside its bytes: a header, and the alignment to 64 that ONNX Runtime asks for. */
const BLOCK_OVERHEAD = 80;
const ALIGNMENT = 16;

interface Block {
  at: number;
  size: number;
}

export class HeapReplay {
  /** The highest that the top has been at, in bytes. */
  top = 0;
  readonly #blocks = new Map<string, Block>();
  /** By address, no two of them adjacent, the last one below `top`'s last block or ending at `top`. */
  #holes: Block[] = [];

  /** @param name of the block; one that is there already stays */
  allocate(name: string, bytes: number): void {
    if (this.#blocks.has(name)) return;
    const size = Math.ceil((bytes + BLOCK_OVERHEAD) / ALIGNMENT) * ALIGNMENT;
    const hole = this.#smallestHole(size);
    if (hole) {
      this.#blocks.set(name, { at: hole.at, size });
      hole.at += size;
      hole.size -= size;
      if (hole.size === 0) this.#holes = this.#holes.filter((each) => each !== hole);
      return;
    }
    const last = this.#holes.at(-1);
    const grows = last && last.at + last.size === this.top;
    if (grows) this.#holes.pop();
    const at = grows ? last.at : this.top;
    this.#blocks.set(name, { at, size });
    this.top = at + size;
  }

  free(name: string): void {
    const block = this.#blocks.get(name);
    if (!block) return;
    this.#blocks.delete(name);
    const place = this.#holes.findIndex(({ at }) => at > block.at);
    this.#holes.splice(place === -1 ? this.#holes.length : place, 0, block);
    this.#holes = this.#holes.reduce<Block[]>((merged, hole) => {
      const before = merged.at(-1);
      if (before && before.at + before.size === hole.at) before.size += hole.size;
      else merged.push(hole);
      return merged;
    }, []);
  }

  #smallestHole(size: number): Block | undefined {
    let best: Block | undefined;
    for (const hole of this.#holes) {
      if (hole.size >= size && hole.size < (best?.size ?? Infinity)) best = hole;
    }
    return best;
  }
}
