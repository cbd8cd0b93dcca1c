import fc from "fast-check";
import { expect, test } from "vitest";
import { hqqRowBlocks } from "../../../src/kernels/reference/hqq.ts";
import { guarded, kernels } from "./guarded.ts";

const matrices = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), cols: fc.integer({ min: 1, max: 70 }) })
  .chain(({ rows, cols }) =>
    fc.record({
      cols: fc.constant(cols),
      // up to ±16: errors large enough for the shrinking to matter
      x: fc
        .array(fc.integer({ min: -16000, max: 16000 }), {
          minLength: rows * cols,
          maxLength: rows * cols,
        })
        .map((all) => Float32Array.from(all, (v) => v / 1000)),
      scale: fc.constantFrom(1, 0.01, 100),
    }),
  )
  .map(({ x, cols, scale }) => ({ x: x.map((v) => v * scale), cols }));

test("blocks, zero points and codes follow the definition to float32 rounding", () => {
  let codes = 0;
  let differing = 0;
  fc.assert(
    fc.property(
      matrices,
      fc.constantFrom(16, 32, 64),
      fc.constantFrom(2, 4, 8),
      ({ x, cols }, blockSize, bits) => {
        const expected = hqqRowBlocks(x, cols, { blockSize, bits });
        const found = guarded((memory) => {
          const q = memory.room(expected.codes.length);
          const s = memory.room(expected.scales.byteLength);
          const z = memory.room(expected.scales.byteLength);
          const rows = x.length / cols;
          kernels.hqqRowBlocks(memory.put(x), rows, cols, blockSize, bits, q, s, z);
          return {
            codes: memory.bytes(q, expected.codes.length),
            scales: memory.take(s, expected.scales),
            zeroPoints: memory.take(z, expected.zeroPoints),
          };
        });
        expect(found.scales).toEqual(expected.scales);
        for (const [i, zero] of expected.zeroPoints.entries()) {
          const bound = 1e-5 * Math.max(1, Math.abs(zero));
          expect(Math.abs((found.zeroPoints[i] ?? NaN) - zero)).toBeLessThan(bound);
        }
        codes += expected.codes.length;
        differing += expected.codes.filter((code, i) => code !== found.codes[i]).length;
      },
    ),
    { numRuns: 150 },
  );
  expect(differing / codes).toBeLessThan(1e-3);
});

test("a constant block keeps its value", () => {
  const x = new Float32Array(16).fill(0.75);
  const { codes, scales, zeroPoints } = hqqRowBlocks(x, 16, { blockSize: 16, bits: 4 });
  expect(((codes[0] ?? 0) - (zeroPoints[0] ?? 0)) * (scales[0] ?? 0)).toBeCloseTo(0.75, 6);
});
