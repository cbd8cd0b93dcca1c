import fc from "fast-check";
import { expect, test } from "vitest";
import { FP4, NF4, packBnb4 } from "../../../src/kernels/reference/bnb4.ts";
import { guarded, kernels } from "./guarded.ts";
import { finiteVectors, RUNS, shifts } from "./weights.ts";

test.each([
  ["FP4", FP4],
  ["NF4", NF4],
] as const)("%s equals the definition", (_, kind) => {
  const blockSizes = fc.constantFrom(16, 32, 64);
  fc.assert(
    fc.property(finiteVectors(0, 150), blockSizes, shifts, (x, blockSize, shift) => {
      const expected = packBnb4(x, blockSize, kind);
      const found = guarded((memory) => {
        const out = memory.room(expected.packed.length);
        const absmax = memory.room(expected.absmax.byteLength);
        kernels.packBnb4(memory.put(x, shift), x.length, blockSize, kind, out, absmax);
        return {
          packed: memory.bytes(out, expected.packed.length),
          absmax: memory.take(absmax, expected.absmax),
        };
      });
      expect(found).toEqual(expected);
    }),
    RUNS,
  );
});

test("the extremes of a block keep their value", () => {
  const x = Float32Array.of(0.25, -0.25, 0, 0.125);
  const { packed, absmax } = packBnb4(x, 16, NF4);
  expect(absmax).toEqual(Float32Array.of(0.25));
  expect([...packed]).toEqual([0xf0, 0x7c]);
  expect([...packBnb4(x, 16, FP4).packed]).toEqual([0x3b, 0x05]);
});

test("an odd end after a weight whose reciprocal is infinite is followed by the code of zero", () => {
  const x = Float32Array.of(2 ** -149);
  expect([...packBnb4(x, 16, NF4).packed]).toEqual([0xf7]);
  const found = guarded((memory) => {
    const out = memory.room(1);
    kernels.packBnb4(memory.put(x), 1, 16, NF4, out, memory.room(4));
    return [...memory.bytes(out, 1)];
  });
  expect(found).toEqual([0xf7]);
});
