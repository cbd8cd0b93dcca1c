/**
 * @file One conversion's scratch memory: a kernel instance with a bump allocator.
 *
 * Each conversion instantiates its own arena, so two requests in one isolate never share scratch.
 * Memory grows to what is asked for and at most to `maxBytes`; `mark`/`release` give it back in stack order.
 */
import type { KernelExports } from "./abi.ts";

const PAGE_BYTES = 65_536;
const ALIGNMENT = 64;

/** A weight whose shape needs more scratch than the arena has: a million channels, a panel of codes. */
export class ArenaFullError extends RangeError {
  override readonly name = "ArenaFullError";
}

export class Arena {
  readonly kernels: KernelExports;
  readonly maxBytes: number;
  #top: number;
  #bytes: Uint8Array;
  #floats: Float32Array;

  private constructor(kernels: KernelExports, base: number, maxBytes: number) {
    this.kernels = kernels;
    this.maxBytes = maxBytes;
    this.#top = base;
    this.#bytes = new Uint8Array(kernels.memory.buffer);
    this.#floats = new Float32Array(kernels.memory.buffer);
  }

  /**
   * Instantiates the kernels with a memory of their own.
   * @param module the compiled `kernels.wasm`
   * @param maxBytes most memory that the arena may grow to (default 48 MiB)
   */
  static async create(module: WebAssembly.Module, maxBytes = 48 << 20): Promise<Arena> {
    const instance = await WebAssembly.instantiate(module, {});
    const kernels = instance.exports as unknown as KernelExports;
    // below the base lie the kernels' own tables and tiles
    const base = Math.ceil(Number(kernels.__heap_base.value) / ALIGNMENT) * ALIGNMENT;
    return new Arena(kernels, base, maxBytes);
  }

  /** All memory as bytes; valid until the next `allocate`. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.kernels.memory.buffer) {
      this.#bytes = new Uint8Array(this.kernels.memory.buffer);
    }
    return this.#bytes;
  }

  /** All memory as float32: element i lies at pointer 4·i; valid until the next `allocate`. */
  get floats(): Float32Array {
    if (this.#floats.buffer !== this.kernels.memory.buffer) {
      this.#floats = new Float32Array(this.kernels.memory.buffer);
    }
    return this.#floats;
  }

  /** A byte view of `length` bytes at `pointer`; valid until the next `allocate`. */
  view(pointer: number, length: number): Uint8Array {
    return this.bytes.subarray(pointer, pointer + length);
  }

  float32(pointer: number, count: number): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, pointer, count);
  }

  float64(pointer: number, count: number): Float64Array {
    return new Float64Array(this.kernels.memory.buffer, pointer, count);
  }

  uint32(pointer: number, count: number): Uint32Array {
    return new Uint32Array(this.kernels.memory.buffer, pointer, count);
  }

  /** Bytes that can still be allocated. */
  get available(): number {
    return this.maxBytes - this.#top;
  }

  /**
   * Reserves `length` bytes (64-byte aligned, contents undefined) and returns their pointer.
   * @throws ArenaFullError when the arena's limit would be passed
   */
  allocate(length: number): number {
    const pointer = this.#top;
    const top = Math.ceil((pointer + length) / ALIGNMENT) * ALIGNMENT;
    if (!(length >= 0) || top > this.maxBytes) {
      throw new ArenaFullError(
        `kernels: ${length} bytes of scratch at ${pointer} pass the arena's ${this.maxBytes}`,
      );
    }
    const have = this.kernels.memory.buffer.byteLength;
    if (top > have) this.kernels.memory.grow(Math.ceil((top - have) / PAGE_BYTES));
    this.#top = top;
    return pointer;
  }

  /** The allocator's position, for `release`. */
  mark(): number {
    return this.#top;
  }

  /** Frees all that was allocated since `mark()`. */
  release(mark: number): void {
    this.#top = mark;
  }
}
