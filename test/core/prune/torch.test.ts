import { describe, expect, test } from "vitest";
import { roundHalfToEven } from "../../../src/prune/amount.ts";
import type { PruneAmount, PruneMethod } from "../../../src/prune/options.ts";
import { pruneModel } from "../../../src/prune/prune.ts";
import json from "../../goldens/prune/prune.json" with { type: "json" };
import { consumer, floats, makeArena, model, weight } from "./models.ts";

interface Golden {
  weights: Record<string, { op: string; dims: number[]; data: string }>;
  cases: {
    weight: string;
    method: PruneMethod;
    amount: PruneAmount;
    dim?: number;
    n?: number | "inf" | "-inf";
    mask: string;
  }[];
  global: { weights: string[]; amount: PruneAmount; masks: string[] }[];
  rounding: [number, number, number][];
}

const golden = json as unknown as Golden;

const decode = (name: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(golden.weights[name]?.data ?? "", "base64")).buffer);

/** The weight times torch's mask. */
function masked(name: string, mask: string): Float32Array {
  const bits = Buffer.from(mask, "base64");
  return decode(name).map((x, i) => (((bits[i >> 3] ?? 0) >> (i & 7)) & 1 ? x : 0));
}

const magnitudes = (...parts: Float32Array[]): number[] =>
  parts.flatMap((part) => [...part].map(Math.abs)).sort((a, b) => a - b);

/** -0 + 0 is 0: whether a zero kept its sign says nothing about the set. */
const unsigned = (values: Float32Array): Float32Array => values.map((x) => x + 0);

const isDistinct = (name: string): boolean => {
  const nonzero = [...decode(name)].filter((x) => x !== 0).map(Math.abs);
  return new Set(nonzero).size === nonzero.length;
};

const arena = await makeArena();

describe("the chosen set is torch's", () => {
  const groups = Map.groupBy(golden.cases, (entry) => `${entry.method} of ${entry.weight}`);
  test.each([...groups])("%s", async (_title, cases) => {
    for (const { weight: name, method, amount, dim, n, mask } of cases) {
      const { op, dims } = golden.weights[name] ?? { op: "", dims: [] };
      const subject = model([consumer(op, "w")], [weight("w", decode(name), dims)]);
      await pruneModel(
        subject,
        { method, amount, ...(dim !== undefined && { dim }), ...(n !== undefined && { n }) },
        arena,
      );
      const ours = await floats(subject.graph.initializers.get("w"));
      const theirs = masked(name, mask);
      const label = `${name} ${JSON.stringify({ amount, dim, n })}`;
      if (isDistinct(name)) expect(unsigned(ours), label).toEqual(unsigned(theirs));
      // among equal magnitudes torch's choice is its C++ library's: the same number of each stays
      else expect(magnitudes(ours), label).toEqual(magnitudes(theirs));
    }
  });

  test.each(golden.global)("global_unstructured over $weights, $amount", async (entry) => {
    const { weights: names, amount, masks } = entry;
    const subject = model(
      names.map((name) => consumer(golden.weights[name]?.op ?? "", name)),
      names.map((name) => weight(name, decode(name), golden.weights[name]?.dims ?? [])),
    );
    await pruneModel(subject, { method: "global_unstructured", amount }, arena);
    const ours = await Promise.all(names.map((n) => floats(subject.graph.initializers.get(n))));
    const theirs = names.map((name, i) => masked(name, masks[i] ?? ""));
    if (names.every(isDistinct)) expect(ours.map(unsigned)).toEqual(theirs.map(unsigned));
    else expect(magnitudes(...ours)).toEqual(magnitudes(...theirs));
  });
});

test.each(golden.rounding)("%d of %d is %d, halves to even", (fraction, size, count) => {
  expect(roundHalfToEven(fraction * size)).toBe(count);
});
