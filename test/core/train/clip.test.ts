import { expect, test } from "vitest";
import { createCollective } from "../../../src/collectives/create.ts";
import { MemoryNetwork } from "../../../src/collectives/memory-transport.ts";
import { clipFactor, globalNorm, scaleInPlace, sumOfSquares } from "../../../src/train/clip.ts";
import goldens from "../../goldens/train/clip.json" with { type: "json" };
import { arena } from "./modes/world.ts";

/** The norm of a vector that lies in parts on so many ranks, as each of them has it. */
async function norms(vector: Float32Array, worldSize: number): Promise<number[]> {
  const transports = new MemoryNetwork({ worldSize }).form(1);
  return Promise.all(
    transports.map((transport) => {
      const collective = createCollective({ transport, arena });
      const { start, end } = collective.segment(vector.length);
      return globalNorm(collective, sumOfSquares(vector.subarray(start, end)));
    }),
  );
}

test.each(goldens.cases)("clipping to $max is torch's clip_grad_norm_", async (golden) => {
  const gradient = Float32Array.from(golden.gradient);
  for (const worldSize of [1, 2, 5]) {
    const found = await norms(gradient, worldSize);
    expect(new Set(found).size).toBe(1);
    const [norm = NaN] = found;
    expect(Math.abs(norm / golden.norm - 1)).toBeLessThan(1e-6);
    const clipped = gradient.slice();
    scaleInPlace(clipped, clipFactor(norm, golden.max));
    clipped.forEach((value, i) => {
      const expected = golden.clipped[i] ?? NaN;
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(Math.abs(expected) * 3e-7);
    });
  }
});

test("a gradient within the bound is left as it is, to the bit", () => {
  expect(clipFactor(0.5, 1)).toBe(1);
  expect(clipFactor(0, 1)).toBe(1);
});

test("the ranks agree on the norm to the bit, and it is right to 1e-14", async () => {
  const vector = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 10 ** ((i % 30) - 15));
  const exact = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  for (const worldSize of [1, 3, 7]) {
    const found = await norms(vector, worldSize);
    expect(new Set(found).size).toBe(1);
    expect(Math.abs((found[0] ?? NaN) / exact - 1)).toBeLessThan(1e-14);
  }
});

test("a norm that is no number stays so on all ranks", async () => {
  for (const bad of [NaN, Infinity]) {
    const vector = Float32Array.of(1, 2, 3, bad, 5);
    for (const norm of await norms(vector, 3)) expect(norm).toBe(bad);
    expect(clipFactor(bad, 1)).toBe(bad === Infinity ? 0 : NaN);
  }
});
