import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALGORITHMS, bits, collectives, disturbed, rankOrderSum, vectors } from "./ranks.ts";

const worlds = fc.integer({ min: 1, max: 16 });
const lengths = fc.integer({ min: 0, max: 200 });
const chunks = fc.constantFrom(4, 12, 64, 4096);

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("all ranks end with the same bits, disturbed or not", async () => {
    await fc.assert(
      fc.asyncProperty(
        worlds,
        lengths,
        chunks,
        fc.integer(),
        async (n, length, chunkBytes, seed) => {
          const reduced = async (carry?: ReturnType<typeof disturbed>) => {
            const ranks = collectives(
              { worldSize: n, ...(carry ? { carry } : {}) },
              { algorithm, chunkBytes },
            );
            const mine = vectors(n, length, seed);
            await Promise.all(ranks.map((rank, r) => rank.allreduce(mine[r]!, { op: "sum" })));
            return mine.map(bits);
          };
          const calm = await reduced();
          const stormy = await reduced(disturbed(seed));
          for (const vector of [...calm, ...stormy]) expect(vector).toEqual(calm[0]);
        },
      ),
      { numRuns: 40 },
    );
  });
  test("the result is the sum, and the mean is the sum times 1/N", async () => {
    await fc.assert(
      fc.asyncProperty(worlds, lengths, chunks, async (n, length, chunkBytes) => {
        const ranks = collectives({ worldSize: n }, { algorithm, chunkBytes });
        const [a, b] = [vectors(n, length), vectors(n, length)];
        // the second begins before the first has ended
        await Promise.all(
          ranks.flatMap((rank, r) => [
            rank.allreduce(a[r]!, { op: "sum" }),
            rank.allreduce(b[r]!, { op: "mean" }),
          ]),
        );
        const sum = rankOrderSum(vectors(n, length));
        const off = sum.map((v, i) => Math.abs(a[0]![i]! - v));
        expect(Math.max(0, ...off)).toBeLessThanOrEqual(n * n * 2 ** -24);
        expect(b[0]).toEqual(a[0]!.map((v) => v * Math.fround(1 / n)));
      }),
      { numRuns: 40 },
    );
  });

  test("bytes sent and received are exactly 2(N-1)/N of the vector, for every rank", async () => {
    for (let n = 1; n <= 16; n++) {
      const length = n * 100;
      const ranks = collectives({ worldSize: n }, { algorithm, chunkBytes: 128 });
      const mine = vectors(n, length);
      await Promise.all(ranks.map((rank, r) => rank.allreduce(mine[r]!, { op: "sum" })));
      for (const { counts } of ranks) {
        const bytes = (2 * (n - 1) * length * 4) / n;
        const messages = 2 * (n - 1) * 3;
        expect(counts).toEqual({
          bytesSent: bytes,
          bytesReceived: bytes,
          messagesSent: messages,
          messagesReceived: messages,
        });
      }
    }
  });

  test("reduceScatter then allgather are an allreduce, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(
        worlds,
        lengths,
        chunks,
        fc.integer(),
        async (n, length, chunkBytes, seed) => {
          const ranks = collectives(
            { worldSize: n, carry: disturbed(seed) },
            { algorithm, chunkBytes },
          );
          const [whole, parts] = [vectors(n, length), vectors(n, length)];
          await Promise.all(
            ranks.map(async (rank, r) => {
              const vector = parts[r]!;
              await rank.allreduce(whole[r]!, { op: "mean" });
              const { start, end } = await rank.reduceScatter(vector, { op: "mean" });
              expect({ start, end }).toEqual(rank.segment(length));
              vector.fill(Number.NaN, 0, start).fill(Number.NaN, end);
              await rank.allgather(vector);
            }),
          );
          for (const vector of parts) expect(bits(vector)).toEqual(bits(whole[0]!));
        },
      ),
      { numRuns: 25 },
    );
  });
});

test("direct adds in the order of the ranks, bit for bit", async () => {
  const ranks = collectives(
    { worldSize: 7, carry: disturbed(3) },
    { algorithm: "direct", chunkBytes: 64 },
  );
  const mine = vectors(7, 333);
  await Promise.all(ranks.map((rank, r) => rank.allreduce(mine[r]!, { op: "sum" })));
  expect(mine[4]).toEqual(rankOrderSum(vectors(7, 333)));
});

test("segments cover the vector in order and differ by one element at most", () => {
  fc.assert(
    fc.property(worlds, fc.integer({ min: 0, max: 2 ** 31 }), (n, length) => {
      const [rank] = collectives({ worldSize: n });
      let at = 0;
      for (let r = 0; r < n; r++) {
        const { start, end } = rank!.segment(length, r);
        expect(start).toBe(at);
        expect(Math.abs(end - start - length / n)).toBeLessThan(1);
        at = end;
      }
      expect(at).toBe(length);
    }),
  );
});
