import fc from "fast-check";
import { expect, test } from "vitest";
import * as reference from "../../../src/kernels/reference/row-blocks.ts";
import { guarded, kernels } from "./guarded.ts";
import { finiteMatrices, RUNS, shifts } from "./weights.ts";

const blockSizes = fc.constantFrom(16, 32, 64, 128);
const bitWidths = fc.constantFrom(2, 4, 8);

/** In a block of +0 and -0, NumPy leaves open which is the least, and so the sign of a scale of 0. */
const unsigned = (scales: Float32Array) => scales.map((scale) => (scale === 0 ? 0 : scale));

test("row blocks equal the definition", () => {
  const settings = fc.record({
    blockSize: blockSizes,
    bits: bitWidths,
    symmetric: fc.boolean(),
    signed: fc.boolean(),
  });
  fc.assert(
    fc.property(finiteMatrices(5, 80), settings, shifts, ({ x, rows, cols }, how, shift) => {
      const expected = reference.quantizeRowBlocks(x, cols, how);
      const found = guarded((memory) => {
        const q = memory.room(x.length);
        const scales = memory.room(expected.scales.byteLength);
        const zeroPoints = memory.put(new Uint8Array(expected.scales.length));
        const { blockSize, bits, symmetric, signed } = how;
        const [s, g] = [Number(symmetric), Number(signed)];
        const input = memory.put(x, shift);
        kernels.quantizeRowBlocks(input, rows, cols, blockSize, bits, s, g, q, scales, zeroPoints);
        return {
          codes: memory.bytes(q, x.length),
          scales: unsigned(memory.take(scales, expected.scales)),
          zeroPoints: memory.bytes(zeroPoints, expected.scales.length),
        };
      });
      expect(found).toEqual({ ...expected, scales: unsigned(expected.scales) });
    }),
    RUNS,
  );
});

test("column blocks equal the definition", () => {
  const settings = fc.record({ blockSize: blockSizes, bits: bitWidths, symmetric: fc.boolean() });
  fc.assert(
    fc.property(finiteMatrices(40, 19), settings, shifts, ({ x, rows, cols }, how, shift) => {
      const expected = reference.quantizeColumnBlocks(x, cols, how);
      const found = guarded((memory) => {
        const q = memory.room(x.length);
        const scales = memory.room(expected.scales.byteLength);
        const zeroPoints = memory.put(new Uint8Array(expected.scales.length));
        const { blockSize, bits, symmetric } = how;
        const input = memory.put(x, shift);
        const s = Number(symmetric);
        kernels.quantizeColumnBlocks(input, rows, cols, blockSize, bits, s, q, scales, zeroPoints);
        return {
          codes: memory.bytes(q, x.length),
          scales: memory.take(scales, expected.scales),
          zeroPoints: memory.bytes(zeroPoints, expected.scales.length),
        };
      });
      expect(found).toEqual(expected);
    }),
    RUNS,
  );
});

test("halves go to the even code along rows, away from zero along columns", () => {
  // scale 1 and zero point 0: a code is its weight, rounded
  const x = new Float32Array(16);
  x.set([15, 0.49999997, 0.5, 1.4999999, 1.5, 2.5, 14.5]);
  const [alongRow, alongColumn] = guarded((memory) => {
    const [input, q, parameters] = [memory.put(x), memory.room(16), memory.room(8)];
    kernels.quantizeRowBlocks(input, 1, 16, 16, 4, 0, 0, q, parameters, parameters + 4);
    const row = memory.bytes(q, 7);
    kernels.quantizeColumnBlocks(input, 16, 1, 16, 4, 0, q, parameters, parameters + 4);
    return [row, memory.bytes(q, 7)];
  });
  expect([...alongRow]).toEqual([15, 0, 0, 1, 2, 2, 14]);
  expect([...alongColumn]).toEqual([15, 0, 1, 1, 2, 3, 15]);
});

test("codes are packed low first, apart and in place", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 150 }),
      fc.constantFrom(2, 4),
      shifts,
      (codes, bits, shift) => {
        const expected = reference.packCodes(codes, bits);
        const [apart, inPlace] = guarded((memory) => {
          const q = memory.put(codes, shift);
          const out = memory.room(expected.length);
          kernels.packCodes(q, codes.length, bits, out);
          kernels.packCodes(q, codes.length, bits, q);
          return [memory.bytes(out, expected.length), memory.bytes(q, expected.length)];
        });
        expect(apart).toEqual(expected);
        expect(inPlace).toEqual(expected);
      },
    ),
    RUNS,
  );
});
