import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALGORITHMS, bits, collectives, disturbed, vectors } from "./ranks.ts";

const worlds = fc.integer({ min: 1, max: 16 });

test("broadcast leaves the root's bits everywhere, whoever is the root", async () => {
  await fc.assert(
    fc.asyncProperty(
      worlds,
      fc.nat(15),
      fc.nat(100),
      fc.constantFrom(4, 36, 4096),
      fc.integer(),
      async (n, r, length, chunkBytes, seed) => {
        const root = r % n;
        const ranks = collectives({ worldSize: n, carry: disturbed(seed) }, { chunkBytes });
        const mine = vectors(n, length, seed);
        const wanted = bits(mine[root]!.slice());
        await Promise.all(ranks.map((rank, i) => rank.broadcast(mine[i]!, root)));
        for (const vector of mine) expect(bits(vector)).toEqual(wanted);
      },
    ),
    { numRuns: 40 },
  );
});

test("a broadcast sends the vector to each other rank once", async () => {
  const ranks = collectives({ worldSize: 13 }, { chunkBytes: 40 });
  await Promise.all(vectors(13, 50).map((vector, i) => ranks[i]!.broadcast(vector, 4)));
  const sent = ranks.map(({ counts }) => counts.bytesSent);
  expect(sent.reduce((a, b) => a + b)).toBe(12 * 50 * 4);
  expect(Math.max(...sent)).toBe(2 * 50 * 4);
});

test("nobody passes a barrier before all have come", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, fc.integer(), async (n, seed) => {
      const ranks = collectives({ worldSize: n, carry: disturbed(seed) });
      const passed: number[] = [];
      const pass = async (rank: number) => {
        await ranks[rank]!.barrier();
        passed.push(rank);
      };
      const late = seed & (n - 1) ? 0 : n - 1;
      const first = ranks.flatMap((_, rank) => (rank === late ? [] : [pass(rank)]));
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
      expect(passed).toEqual([]);
      await Promise.all([...first, pass(late)]);
      expect(passed.length).toBe(n);
    }),
    { numRuns: 30 },
  );
});

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("ranks that read each other's memory end with the same bits as ranks that copy", async () => {
    await fc.assert(
      fc.asyncProperty(worlds, fc.nat(150), fc.integer(), async (n, length, seed) => {
        const reduce = async (lends: boolean) => {
          const ranks = collectives(
            { worldSize: n, lends, carry: disturbed(seed) },
            { algorithm, chunkBytes: 64 },
          );
          const mine = vectors(n, length, seed);
          await Promise.all(
            ranks.map(async (rank, r) => {
              const vector = mine[r]!;
              await rank.allreduce(vector, { op: "mean" });
              // the memory is the caller's again: a peer that still read it would be wrong from here on
              const kept = vector.slice();
              vector.fill(Number.NaN);
              await rank.barrier();
              vector.set(kept);
            }),
          );
          return mine.map(bits);
        };
        expect(await reduce(true)).toEqual(await reduce(false));
      }),
      { numRuns: 30 },
    );
  });

  test("many operations under way at once do not mix", async () => {
    const ranks = collectives({ worldSize: 5, carry: disturbed(9) }, { algorithm, chunkBytes: 16 });
    const buckets = Array.from({ length: 12 }, (_, b) => vectors(5, 20 + b, b + 1));
    await Promise.all(
      ranks.flatMap((rank, r) =>
        buckets.map((bucket, b) =>
          b % 4 === 3
            ? rank.broadcast(bucket[r]!, b % 5)
            : rank.allreduce(bucket[r]!, { op: "sum" }),
        ),
      ),
    );
    const [calm] = [collectives({ worldSize: 5 }, { algorithm, chunkBytes: 16 })];
    for (const [b, bucket] of buckets.entries()) {
      const alone = vectors(5, 20 + b, b + 1);
      await Promise.all(
        calm!.map((rank, r) =>
          b % 4 === 3 ? rank.broadcast(alone[r]!, b % 5) : rank.allreduce(alone[r]!, { op: "sum" }),
        ),
      );
      expect(bucket.map(bits)).toEqual(alone.map(bits));
    }
  });
});
