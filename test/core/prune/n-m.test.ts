import { describe, expect, test } from "vitest";
import { makeArena, noise, pruneOne } from "./models.ts";

/** N:M along an axis, by sorting each group; of equal magnitudes the lower index stays. */
function reference(
  values: Float32Array,
  dims: number[],
  axis: number,
  keep: number,
  group: number,
): Float32Array {
  const out = Float32Array.from(values);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = dims[axis] ?? 1;
  for (let start = 0; start < values.length; start += size * inner) {
    for (let j = 0; j < inner; j++) {
      for (let g = 0; g < size; g += group) {
        const at = Array.from(
          { length: Math.min(group, size - g) },
          (_, i) => start + (g + i) * inner + j,
        );
        at.sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0) || a - b);
        for (const index of at.slice(keep)) out[index] = 0;
      }
    }
  }
  return out;
}

const cases: [string, string, number[], number][] = [
  ["Conv", "input channels", [6, 8, 3, 3], 1],
  ["Conv", "input channels, the last group short", [4, 10, 5], 1],
  ["ConvTranspose", "input channels", [8, 3, 2, 2], 0],
  ["Gemm", "the rows of transB", [5, 16], 1],
  ["MatMul", "K", [16, 70], 0],
  ["MatMul", "K, the last group short", [13, 70], 0],
  ["MatMul", "K of each matrix", [3, 12, 5], 1],
  ["MatMul", "K of each matrix, the last group short", [5, 17, 70], 1],
  ["LSTM", "input size", [2, 12, 8], 2],
];

describe.each([
  [2, 4],
  [4, 8],
  [1, 3],
  [0, 2],
  [3, 16],
])("%d:%d", (keep, group) => {
  test.each(cases)("%s, %s, dims %j", async (opType, _what, dims, axis) => {
    const values = noise(dims.reduce((a, b) => a * b, 1));
    const { values: pruned, report } = await pruneOne(
      values,
      dims,
      { method: "n_m", pattern: `${keep}:${group}` },
      opType,
    );
    if ((dims[axis] ?? 0) < group) {
      expect(report.kept).toEqual([
        { name: "w", reason: expect.stringContaining("less than one group") },
      ]);
      expect(pruned).toEqual(values);
    } else {
      expect(pruned).toEqual(reference(values, dims, axis, keep, group));
    }
  });
});

test("of equal magnitudes the lower index stays", async () => {
  const { values } = await pruneOne([1, -1, 1, -1, 2, 1, 1, 2], [1, 8], { method: "n_m" });
  expect([...values]).toEqual([1, -1, 0, 0, 2, 0, 0, 2]);
});

test.each([
  ["K much longer than a chunk", "MatMul", [1026, 520], 0],
  ["rows longer than a chunk", "MatMul", [9, 150_000], 0],
  ["groups of a transB row longer than a chunk", "Gemm", [2, 300_002], 1],
  ["batches longer than a chunk", "MatMul", [2, 602, 500], 1],
  ["batches longer than the largest chunk, K not of whole groups", "MatMul", [2, 1030, 1030], 1],
] as const)("chunks do not cut groups: %s", async (_what, opType, dims, axis) => {
  const values = noise(dims.reduce<number>((a, b) => a * b, 1));
  const { values: pruned } = await pruneOne(
    values,
    [...dims],
    { method: "n_m" },
    opType,
    await makeArena(),
  );
  expect(
    Buffer.from(pruned.buffer).equals(Buffer.from(reference(values, [...dims], axis, 2, 4).buffer)),
  ).toBe(true);
});

test("a group whose rows pass the scratch memory stays, with the reason", async () => {
  const dims = [8, 140_000];
  const { report } = await pruneOne(
    noise(8 * 140_000),
    dims,
    { method: "n_m", pattern: "4:8" },
    "MatMul",
  );
  expect(report.kept[0]?.reason).toBe("a group of 8 rows of 140000 passes the scratch memory");
});
