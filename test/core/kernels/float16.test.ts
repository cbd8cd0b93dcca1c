import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as bfloat16 from "../../../src/kernels/reference/bfloat16.ts";
import * as float16 from "../../../src/kernels/reference/float16.ts";
import { guarded, kernels } from "./guarded.ts";
import { anyVectors, finiteVectors, RUNS, shifts } from "./weights.ts";

const MIN_POSITIVE = 5.96e-8;
const MAX_FINITE = 65504;

function halves(x: Float32Array, minPositive = MIN_POSITIVE, maxFinite = MAX_FINITE, shift = 0) {
  return guarded((memory) => {
    const out = memory.room(x.length * 2);
    kernels.float16FromFloat32(memory.put(x, shift), x.length, out, minPositive, maxFinite);
    return memory.take(out, new Uint16Array(x.length));
  });
}

function widened(
  name: "float32FromFloat16" | "float32FromBfloat16",
  x: Uint16Array,
  shift = 0,
): Uint32Array {
  return guarded((memory) => {
    const out = memory.room(x.length * 4);
    kernels[name](memory.put(x, shift), x.length, out);
    return memory.take(out, new Uint32Array(x.length));
  });
}

/** Float32 bits from a regular walk over all 2^32, which meets every exponent and both signs. */
const SWEEP = new Float32Array(
  Uint32Array.from({ length: 1 << 18 }, (_, i) => Math.imul(i, 16411)).buffer,
);
const HALVES = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe("float16", () => {
  test("equals the definition for any floats and clamps", () => {
    const clamps = fc.constantFrom(
      [MIN_POSITIVE, MAX_FINITE],
      [1e-7, 1e4],
      [0, Infinity],
      [1e-4, 65519],
    );
    fc.assert(
      fc.property(fc.oneof(anyVectors(), finiteVectors()), clamps, shifts, (x, clamp, shift) => {
        const [least = 0, most = 0] = clamp;
        expect(halves(x, least, most, shift)).toEqual(float16.float16FromFloat32(x, least, most));
      }),
      RUNS,
    );
  });

  test("equals the definition over all exponents", () => {
    const expected = float16.float16FromFloat32(SWEEP, MIN_POSITIVE, MAX_FINITE);
    expect(differing(halves(SWEEP), expected)).toBe(0);
  });

  test("without clamps equals the platform's Float16Array", () => {
    const finite = SWEEP.filter((v) => !Number.isNaN(v));
    const expected = new Uint16Array(new Float16Array(finite).buffer);
    expect(differing(halves(finite, 0, Infinity), expected)).toBe(0);
  });

  test("one NaN or Inf in a long vector changes no other element", () => {
    const x = Float32Array.from({ length: 3000 }, (_, i) => Math.fround(Math.sin(i)));
    for (const [at, special, bits] of [
      [5, NaN, 0x7e00],
      [1500, Infinity, 0x7c00],
      [2999, -Infinity, 0xfc00],
    ] as const) {
      const expected = halves(x);
      expected[at] = bits;
      const changed = x.slice();
      changed[at] = special;
      expect(differing(halves(changed), expected)).toBe(0);
    }
  });

  test("every half widens exactly and comes back", () => {
    const floats = widened("float32FromFloat16", HALVES);
    const expected = new Uint32Array(float16.float32FromFloat16(HALVES).buffer);
    expect(differing(floats, expected)).toBe(0);
    expect(differing(halves(new Float32Array(floats.buffer), 0, Infinity), HALVES)).toBe(0);
  });

  test("tails and alignments widen alike", () => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 40 }), shifts, (x, shift) => {
        const expected = new Uint32Array(float16.float32FromFloat16(x).buffer);
        expect(widened("float32FromFloat16", x, shift)).toEqual(expected);
      }),
      RUNS,
    );
  });
});

describe("bfloat16", () => {
  const narrowed = (x: Float32Array, shift = 0) =>
    guarded((memory) => {
      const out = memory.room(x.length * 2);
      kernels.bfloat16FromFloat32(memory.put(x, shift), x.length, out);
      return memory.take(out, new Uint16Array(x.length));
    });

  test("equals the definition", () => {
    fc.assert(
      fc.property(anyVectors(), shifts, (x, shift) => {
        expect(narrowed(x, shift)).toEqual(bfloat16.bfloat16FromFloat32(x));
      }),
      RUNS,
    );
    expect(differing(narrowed(SWEEP), bfloat16.bfloat16FromFloat32(SWEEP))).toBe(0);
  });

  test("widens exactly", () => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 40 }), shifts, (x, shift) => {
        const expected = new Uint32Array(bfloat16.float32FromBfloat16(x).buffer);
        expect(widened("float32FromBfloat16", x, shift)).toEqual(expected);
      }),
      RUNS,
    );
  });
});

function differing(a: Uint16Array | Uint32Array, b: Uint16Array | Uint32Array): number {
  let count = a.length === b.length ? 0 : Infinity;
  for (const [i, v] of a.entries()) if (v !== b[i]) count++;
  return count;
}
