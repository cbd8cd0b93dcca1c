/** @file Weights of a million slices: what is found of them takes no more than numbers of four bytes each. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { leastSlices } from "../../../src/prune/slice-norms.ts";
import { heapOf } from "../limited-heap.ts";

/** The definition: by norm, equal ones by index. */
function sorted(norms: Float32Array, count: number): number[] {
  const order = [...norms.keys()].sort((a, b) => (norms[a] ?? 0) - (norms[b] ?? 0) || a - b);
  return order.slice(0, count).sort((a, b) => a - b);
}

const zeros = (keep: Int32Array): number[] =>
  [...keep.entries()].flatMap(([slice, mark]) => (mark === 0 ? [slice] : []));

test("the slices with the least norm are those that sorting finds, ties by index", () => {
  const norm = fc.oneof(
    fc.constantFrom(0, 1, 2, Infinity, 2 ** -149),
    fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs),
  );
  const subject = fc
    .array(norm, { minLength: 1, maxLength: 60 })
    .chain((norms) => fc.tuple(fc.constant(norms), fc.nat({ max: norms.length })));
  fc.assert(
    fc.property(subject, ([norms, count]) => {
      const values = Float32Array.from(norms);
      expect(zeros(leastSlices(values, count))).toEqual(sorted(values, count));
    }),
  );
});

test("4 million slices are ranked and sampled in 24 MB of heap", async () => {
  const modules = ["slice-norms", "random"].map((name) =>
    JSON.stringify(new URL(`../../../src/prune/${name}.ts`, import.meta.url).href),
  );
  const found = await heapOf(
    24,
    `const [{ leastSlices }, { sampleMarks, Xoshiro128 }] = await Promise.all([import(${modules[0]}), import(${modules[1]})]);
    const norms = Float32Array.from({ length: 4_000_000 }, (_, i) => (i * 7919) % 4_000_037);
    const zeros = (keep) => keep.reduce((sum, mark) => sum + (mark === 0), 0);
    answer([zeros(leastSlices(norms, 1_999_999)), zeros(sampleMarks(Xoshiro128.of(1, "w"), norms.length, 1_500_001))]);`,
  );
  expect(found).toEqual([1_999_999, 1_500_001]);
});
