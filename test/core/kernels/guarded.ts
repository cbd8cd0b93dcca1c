/** @file Kernel calls on guarded memory: inputs at any alignment, outputs between bytes that must not change. */
import { expect } from "vitest";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";

export const arena = await Arena.create(await kernelModule(), 16 << 20);
export const { kernels } = arena;

const GUARD_BYTES = 64;
const GUARD = 0xa5;

type Data =
  | Float32Array
  | Float64Array
  | Uint32Array
  | Int32Array
  | Uint16Array
  | Int16Array
  | Uint8Array
  | Int8Array;

/** Memory of one call; `free` checks the guards and gives it back. */
export class Guarded {
  readonly #mark = arena.mark();
  readonly #guards: number[] = [];

  /** Copies `data` to `shift` elements behind a 64-byte boundary and returns its pointer. */
  put(data: Data, shift = 0): number {
    const pointer = this.room(data.byteLength, shift * data.BYTES_PER_ELEMENT);
    arena
      .view(pointer, data.byteLength)
      .set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return pointer;
  }

  /** `bytes` of memory, filled with 0xa5, between guards. */
  room(bytes: number, shiftBytes = 0): number {
    const start = arena.allocate(bytes + shiftBytes + 2 * GUARD_BYTES);
    arena.view(start, bytes + shiftBytes + 2 * GUARD_BYTES).fill(GUARD);
    const pointer = start + GUARD_BYTES + shiftBytes;
    this.#guards.push(start + shiftBytes, pointer + bytes);
    return pointer;
  }

  bytes(pointer: number, length: number): Uint8Array {
    return arena.view(pointer, length).slice();
  }

  /** A copy of the memory as the type of `like`, and as long. */
  take<T extends Data>(pointer: number, like: T): T {
    const copy = like.slice();
    new Uint8Array(copy.buffer).set(arena.view(pointer, copy.byteLength));
    return copy as T;
  }

  free(): void {
    for (const guard of this.#guards) {
      expect(arena.view(guard, GUARD_BYTES).every((byte) => byte === GUARD)).toBe(true);
    }
    arena.release(this.#mark);
  }
}

/** Runs `call` on guarded memory. */
export function guarded<T>(call: (memory: Guarded) => T): T {
  const memory = new Guarded();
  const result = call(memory);
  memory.free();
  return result;
}
