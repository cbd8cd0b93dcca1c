import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packMatrix } from "../../../src/kernels/pack-matrix.ts";
import { packBlocks } from "../../../src/kernels/reference/blocks.ts";
import { arena } from "./guarded.ts";
import { finiteMatrices } from "./weights.ts";

const BLOCK_SIZES = [16, 32, 64, 128, 256] as const;

describe.each([2, 4, 8] as const)("%i bits", (bits) => {
  const settings = fc.record({
    bits: fc.constant(bits),
    blockSize: fc.constantFrom(...BLOCK_SIZES),
    symmetric: fc.boolean(),
  });

  test("a packed matrix equals the definition, whatever its shape", () => {
    fc.assert(
      fc.property(finiteMatrices(70, 36), settings, ({ x, rows, cols }, how) => {
        const expected = packBlocks(x, { rows, cols }, how);
        expect(packMatrix(x, { rows, cols }, how, arena)).toEqual(expected);
      }),
      { numRuns: 120 },
    );
  });

  test.each([
    [1, "a run's first row alone leaves the other bits zero"],
    [3, "the last byte repeats the byte before"],
    [5, "the last byte repeats the byte before, by column"],
  ])("%i rows over a full block: %s", (over) => {
    for (const blocks of [1, 2, 3, 4, 5]) {
      const rows = blocks * 16 + over;
      const x = Float32Array.from({ length: rows * 17 }, (_, i) => Math.fround(Math.sin(i * 7)));
      const how = { bits, blockSize: 16, symmetric: false };
      const expected = packBlocks(x, { rows, cols: 17 }, how);
      expect(packMatrix(x, { rows, cols: 17 }, how, arena)).toEqual(expected);
    }
  });

  test("halves go away from zero, what is just below a half does not", () => {
    const most = 2 ** bits - 1;
    // scale 1 and zero point 0: a code is its weight, rounded
    const x = new Float32Array(16);
    x.set([most, 0.49999997, 0.5, 1.4999999, 1.5, 2.5, most - 0.5]);
    const how = { bits, blockSize: 16, symmetric: false };
    const { packed, scales } = packMatrix(x, { rows: 16, cols: 1 }, how, arena);
    const codes = Array.from({ length: 7 }, (_, i) => {
      return ((packed[Math.floor((i * bits) / 8)] ?? 0) >> ((i * bits) % 8)) & most;
    });
    expect([...scales]).toEqual([1]);
    expect(codes).toEqual([most, 0, 1, 1, 2, 3, most]);
  });

  test("an all-zero matrix gets scale 0 and codes that mean zero", () => {
    const x = new Float32Array(32 * 3);
    for (const symmetric of [false, true]) {
      const how = { bits, blockSize: 32, symmetric };
      const { packed, scales } = packMatrix(x, { rows: 32, cols: 3 }, how, arena);
      const code = symmetric ? 2 ** (bits - 1) : 0;
      const byte = Array.from({ length: 8 / bits }, (_, k) => code << (k * bits)).reduce(
        (a, b) => a | b,
      );
      expect(scales.every((scale) => scale === 0)).toBe(true);
      expect(packed.every((all) => all === byte)).toBe(true);
    }
  });
});

test("a matrix that the arena cannot hold is refused", () => {
  const how = { bits: 4, blockSize: 32, symmetric: false } as const;
  const x = new Float32Array(4 << 20);
  expect(() => packMatrix(x, { rows: 4096, cols: 1024 }, how, arena)).toThrow(RangeError);
  expect(() => packMatrix(x, { rows: 4096, cols: 1000 }, how, arena)).toThrow(
    "kernels: 4194304 weights are not [4096, 1000]",
  );
});
