import { describe, expect, test } from "vitest";
import { sampleMarks, SelectionSampler, Xoshiro128 } from "../../../src/prune/random.ts";
import { makeArena, noise, pruneOne } from "./models.ts";

const pattern = (values: Float32Array): string =>
  [...values].map((x) => (x === 0 ? "0" : "1")).join("");

const sample = (random: Xoshiro128, total: number, count: number): number[] =>
  [...sampleMarks(random, total, count).entries()].flatMap(([i, mark]) => (mark === 0 ? [i] : []));

describe("xoshiro128**", () => {
  test("gives the reference implementation's numbers from state 1, 2, 3, 4", () => {
    const random = new Xoshiro128([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, () => random.next())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ]);
  });

  test("streams differ by seed and by name", () => {
    const first = (seed: number, name: string): number => Xoshiro128.of(seed, name).next();
    const seen = [
      first(0, "w"),
      first(1, "w"),
      first(2 ** 53 - 1, "w"),
      first(0, "v"),
      first(0, ""),
    ];
    expect(new Set(seen).size).toBe(seen.length);
    expect(first(1, "w")).toBe(first(1, "w"));
  });
});

describe("selection sampling", () => {
  test.each([0, 1, 5, 99, 100])("picks exactly %d of 100", (count) => {
    for (let seed = 0; seed < 50; seed++) {
      expect(sample(Xoshiro128.of(seed, "w"), 100, count)).toHaveLength(count);
    }
  });

  test("picks the same however the items are cut into chunks", () => {
    const whole = new Int32Array(1000).fill(1);
    new SelectionSampler(Xoshiro128.of(3, "w"), 1000, 400).zero(whole);
    const parts = new Int32Array(1000).fill(1);
    const sampler = new SelectionSampler(Xoshiro128.of(3, "w"), 1000, 400);
    for (const [from, to] of [
      [0, 1],
      [1, 400],
      [400, 400],
      [400, 1000],
    ] as const) {
      sampler.zero(parts.subarray(from, to));
    }
    expect(parts).toEqual(whole);
  });

  test("every item is picked equally often, and every pair", () => {
    // 3 of 6, 40,000 times: an item is expected 20,000 times (σ 100), a pair 8,000 times (σ 80)
    const singles = [0, 0, 0, 0, 0, 0];
    const pairs = new Map<string, number>();
    const random = Xoshiro128.of(11, "uniform");
    for (let round = 0; round < 40_000; round++) {
      const [a = 0, b = 0, c = 0] = sample(random, 6, 3);
      for (const i of [a, b, c]) singles[i] = (singles[i] ?? 0) + 1;
      for (const pair of [`${a}${b}`, `${a}${c}`, `${b}${c}`])
        pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    for (const count of singles) expect(Math.abs(count - 20_000)).toBeLessThan(500);
    expect(pairs.size).toBe(15);
    for (const count of pairs.values()) expect(Math.abs(count - 8_000)).toBeLessThan(400);
  });
});

describe("random pruning", () => {
  const values = noise(24 * 50);

  test("zeroes exactly the amount, and nothing else changes", async () => {
    const pruned = await pruneOne(values, [24, 50], { method: "random_unstructured", amount: 0.3 });
    expect(pruned.values.filter((x) => x === 0)).toHaveLength(360);
    expect(pruned.values.every((x, i) => x === 0 || x === values[i])).toBe(true);
  });

  test("the seed decides, whatever else is pruned", async () => {
    const options = { method: "random_unstructured", amount: 0.5, seed: 5 } as const;
    const once = await pruneOne(values, [24, 50], options);
    const again = await pruneOne(values, [24, 50], options);
    const other = await pruneOne(values, [24, 50], { ...options, seed: 6 });
    expect(again.values).toEqual(once.values);
    expect(other.values).not.toEqual(once.values);
  });

  test("its choice is fixed for all versions", async () => {
    const { values: pruned } = await pruneOne(noise(40), [4, 10], {
      method: "random_unstructured",
      amount: 0.5,
      seed: 42,
    });
    expect(pattern(pruned)).toMatchInlineSnapshot(`"1110100001110101100111000010010010111010"`);
  });

  test("structured: whole slices of the asked axis go", async () => {
    for (const [dim, slices] of [
      [0, 24],
      [1, 50],
      [-1, 50],
    ] as const) {
      const { values: pruned } = await pruneOne(values, [24, 50], {
        method: "random_structured",
        amount: 0.25,
        dim,
      });
      const zeroed = Array.from({ length: slices }, (_, slice) =>
        [...pruned].filter((_x, i) => (dim === 0 ? Math.floor(i / 50) : i % 50) === slice),
      ).filter((slice) => slice.every((x) => x === 0));
      expect(zeroed).toHaveLength(slices === 24 ? 6 : 12);
      const perSlice = 1200 / slices;
      expect(pruned.filter((x) => x === 0)).toHaveLength(zeroed.length * perSlice);
    }
  });

  test("a weight of many chunks loses exactly its count", async () => {
    const large = noise(700_001);
    const { values: pruned } = await pruneOne(
      large,
      [700_001, 1],
      { method: "random_unstructured", amount: { count: 345_678 } },
      "Gemm",
      await makeArena(4 << 20),
    );
    expect(pruned.filter((x) => x === 0)).toHaveLength(345_678);
  });
});
