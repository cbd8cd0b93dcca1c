import fc from "fast-check";
import { expect, test } from "vitest";
import * as reference from "../../../src/kernels/reference/ranges.ts";
import { guarded, kernels } from "./guarded.ts";
import { anyVectors, finiteMatrices, finiteVectors, RUNS, shifts } from "./weights.ts";

/** The kernels do not tell -0 from 0 in an extreme: no arithmetic after them does. */
const unsigned = (extremes: Float32Array) => extremes.map((v) => v + 0);

function minMax(x: Float32Array, shift: number) {
  const start = Float32Array.of(0.25, 0.25);
  return guarded((memory) => {
    const range = memory.put(start);
    const nonFinite = kernels.minMax(memory.put(x, shift), x.length, range);
    return { range: unsigned(memory.take(range, start)), nonFinite };
  });
}

test("absMaxBits is the largest magnitude's bits, NaN above Inf above numbers", () => {
  fc.assert(
    fc.property(anyVectors(), shifts, (x, shift) => {
      const found = guarded((memory) => kernels.absMaxBits(memory.put(x, shift), x.length));
      expect(found).toBe(reference.absMaxBits(x));
    }),
    RUNS,
  );
});

test("minMax folds both extremes and finds every NaN and Inf", () => {
  fc.assert(
    fc.property(fc.oneof(anyVectors(), finiteVectors()), shifts, (x, shift) => {
      const range = Float32Array.of(0.25, 0.25);
      const nonFinite = reference.minMax(x, range);
      expect(minMax(x, shift)).toEqual({ range: unsigned(range), nonFinite });
    }),
    RUNS,
  );
});

test("a sum that overflows is not mistaken for Inf in the data", () => {
  const x = new Float32Array(64).fill(3e38);
  expect(minMax(x, 0)).toEqual({ range: Float32Array.of(0.25, 3e38), nonFinite: 0 });
  x[37] = -Infinity;
  expect(minMax(x, 0).nonFinite).toBe(1);
});

test("one NaN anywhere is found", () => {
  for (const length of [1, 15, 16, 17, 33]) {
    for (let at = 0; at < length; at++) {
      const x = new Float32Array(length);
      x[at] = NaN;
      expect(minMax(x, 1).nonFinite, `${length}:${at}`).toBe(1);
    }
  }
});

test("columnAbsMaxBits folds each column's largest magnitude", () => {
  fc.assert(
    fc.property(finiteMatrices(11, 40), shifts, ({ x, rows, cols }, shift) => {
      const expected = new Int32Array(cols).fill(0x3a000000);
      const found = guarded((memory) => {
        const most = memory.put(expected, shift);
        kernels.columnAbsMaxBits(memory.put(x, shift), rows, cols, most);
        return memory.take(most, expected);
      });
      reference.columnAbsMaxBits(x, rows, cols, expected);
      expect(found).toEqual(expected);
    }),
    RUNS,
  );
});

test("columnMinMax folds each column's extremes", () => {
  const matrices = fc.oneof(
    finiteMatrices(11, 40),
    fc.record({ x: anyVectors(7 * 9, 7 * 9), rows: fc.constant(7), cols: fc.constant(9) }),
  );
  fc.assert(
    fc.property(matrices, shifts, ({ x, rows, cols }, shift) => {
      const min = new Float32Array(cols).fill(Infinity);
      const max = new Float32Array(cols).fill(-Infinity);
      const found = guarded((memory) => {
        const [least, most] = [memory.put(min, shift), memory.put(max)];
        const nonFinite = kernels.columnMinMax(memory.put(x, shift), rows, cols, least, most);
        return {
          nonFinite,
          min: unsigned(memory.take(least, min)),
          max: unsigned(memory.take(most, max)),
        };
      });
      const nonFinite = reference.columnMinMax(x, rows, cols, min, max);
      expect(found).toEqual({ nonFinite, min: unsigned(min), max: unsigned(max) });
    }),
    RUNS,
  );
});
