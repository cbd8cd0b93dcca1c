import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as reference from "../../../src/kernels/reference/magnitude.ts";
import { pruneNM } from "../../../src/kernels/reference/n-of-m.ts";
import { magnitudeBits } from "../../../src/kernels/reference/rounding.ts";
import { type Guarded, guarded, kernels } from "./guarded.ts";
import { finiteVectors, RUNS, shifts } from "./weights.ts";

/** Few distinct magnitudes, so that ties are common. */
const tied = fc
  .array(fc.constantFrom(0, -0, 0.5, -0.5, 1, -1, 2, 3), { maxLength: 70 })
  .map((all) => Float32Array.from(all));
const vectors = fc.oneof(finiteVectors(), tied);

/** Runs a kernel that changes x in place. */
function changed<T>(
  x: Float32Array,
  shift: number,
  call: (x: number, memory: Guarded) => T,
): { x: Uint32Array; result: T } {
  return guarded((memory) => {
    const pointer = memory.put(x, shift);
    const result = call(pointer, memory);
    return { x: memory.take(pointer, new Uint32Array(x.length)), result };
  });
}

const bits = (x: Float32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length);

test("the two coarse histograms add up to the definition's", () => {
  fc.assert(
    fc.property(vectors, shifts, (x, shift) => {
      const expected = new Uint32Array(65536);
      reference.magnitudeHistogram(x, expected);
      const found = guarded((memory) => {
        const histogram = memory.put(new Uint32Array(2 * 65536));
        kernels.magnitudeHistogram(memory.put(x, shift), x.length, histogram);
        const both = memory.take(histogram, new Uint32Array(2 * 65536));
        return both.subarray(0, 65536).map((count, i) => count + (both[65536 + i] ?? 0));
      });
      expect(found).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test("the fine histogram counts one bucket", () => {
  fc.assert(
    fc.property(vectors, fc.nat(70), shifts, (x, at, shift) => {
      const bucket = magnitudeBits(x[at % (x.length || 1)] ?? 0) >>> 15;
      const expected = new Uint32Array(32768);
      reference.magnitudeHistogramWithin(x, bucket, expected);
      const found = guarded((memory) => {
        const histogram = memory.put(new Uint32Array(32768));
        kernels.magnitudeHistogramWithin(memory.put(x, shift), x.length, bucket, histogram);
        return memory.take(histogram, new Uint32Array(32768));
      });
      expect(found).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test("the window counts 65,536 magnitudes, what is below, and finds the largest", () => {
  fc.assert(
    fc.property(vectors, fc.nat(70), fc.nat(70000), shifts, (x, at, back, shift) => {
      const low = Math.max(0, magnitudeBits(x[at % (x.length || 1)] ?? 0) - back);
      const expected = new Uint32Array(65537);
      const below = reference.magnitudeHistogramAround(x, low, expected);
      const found = guarded((memory) => {
        const result = memory.put(new Uint32Array(65537));
        const count = kernels.magnitudeHistogramAround(memory.put(x, shift), x.length, low, result);
        return { count, window: memory.take(result, new Uint32Array(65537)) };
      });
      expect(found).toEqual({ count: below, window: expected });
    }),
    { numRuns: 30 },
  );
});

test("zeroBelow zeroes what is smaller and the first ties", () => {
  fc.assert(
    fc.property(vectors, fc.nat(70), fc.nat(12), shifts, (x, at, ties, shift) => {
      const threshold = magnitudeBits(x[at % (x.length || 1)] ?? 0);
      const found = changed(x, shift, (p) => kernels.zeroBelow(p, x.length, threshold, ties));
      const result = reference.zeroBelow(x, threshold, ties);
      expect(found).toEqual({ x: bits(x), result });
    }),
    RUNS,
  );
});

test("applyMask keeps where the mask is not 0", () => {
  fc.assert(
    fc.property(
      vectors,
      fc.uint8Array({ minLength: 70, maxLength: 70 }),
      shifts,
      (x, all, shift) => {
        const mask = all.subarray(0, x.length).map((v) => v & 1);
        const found = changed(x, shift, (p, memory) =>
          kernels.applyMask(p, x.length, memory.put(mask, shift)),
        );
        reference.applyMask(x, mask);
        expect(found.x).toEqual(bits(x));
      },
    ),
    RUNS,
  );
});

test("countZeros counts both zeros", () => {
  fc.assert(
    fc.property(vectors, shifts, (x, shift) => {
      const found = guarded((memory) => kernels.countZeros(memory.put(x, shift), x.length));
      expect(found).toBe(reference.countZeros(x));
    }),
    RUNS,
  );
});

describe.each([
  [2, 4],
  [1, 4],
  [4, 8],
  [3, 5],
  [7, 16],
  [0, 4],
])("%i of %i", (keep, m) => {
  test("equals the definition, the shorter last group too", () => {
    fc.assert(
      fc.property(vectors, shifts, (x, shift) => {
        const found = changed(x, shift, (p) => kernels.pruneNM(p, x.length, keep, m));
        pruneNM(x, keep, m);
        expect(found.x).toEqual(bits(x));
      }),
      RUNS,
    );
  });
});
