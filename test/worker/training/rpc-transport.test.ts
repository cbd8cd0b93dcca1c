import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { CollectiveRank, RankSetup } from "./collective-ranks.ts";

const RANKS = (env as unknown as { COLLECTIVE_RANKS: DurableObjectNamespace<CollectiveRank> })
  .COLLECTIVE_RANKS;
let groups = 0;

type Options = Partial<Omit<RankSetup, "rank" | "fault">> & {
  faults?: Record<number, RankSetup["fault"]>;
};

class Ranks {
  readonly group = `group-${groups++}`;

  /** A fresh stub: one whose object has died stays broken. */
  rank(rank: number) {
    return RANKS.getByName(`${this.group}/${rank}`);
  }

  async form({ faults = {}, ...options }: Options = {}): Promise<number[]> {
    const { worldSize = 4 } = options;
    const all = Array.from({ length: worldSize }, (_, rank) => rank);
    await Promise.all(
      all.map(async (rank) => {
        const fault = faults[rank];
        await this.rank(rank).join({
          group: this.group,
          rank,
          worldSize,
          generation: 1,
          length: 200_000,
          chunkBytes: 32_768,
          algorithm: "direct",
          lend: false,
          deadlineMs: 20_000,
          ...options,
          ...(fault ? { fault } : {}),
        });
      }),
    );
    await Promise.all(all.map(async (rank) => await this.rank(rank).attach()));
    return all;
  }

  async allreduce(ranks: readonly number[]) {
    return await Promise.all(
      ranks.map(async (rank) => {
        try {
          return await this.rank(rank).allreduce();
        } catch (error) {
          return { died: String(error) };
        }
      }),
    );
  }
}

describe.each(["direct", "ring"] as const)("%s", (algorithm) => {
  test.each([
    [1, 1000, false],
    [2, 300_001, false],
    [4, 200_000, false],
    [4, 200_000, true],
    [7, 70_001, true],
  ])("%i objects, %i floats, lent: %s: the exact sum on all", async (worldSize, length, lend) => {
    const ranks = new Ranks();
    const results = await ranks.allreduce(await ranks.form({ worldSize, length, algorithm, lend }));
    const [first] = results;
    for (const result of results) {
      expect(result).toMatchObject({ wrong: 0, hash: (first as { hash: number }).hash });
    }
    const sent = results.map((result) => (result as { counts: { bytesSent: number } }).counts);
    const total = sent.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(total).toBe(2 * (worldSize - 1) * length * 4);
    if (length % worldSize === 0) {
      for (const { bytesSent } of sent) expect(bytesSent).toBe(total / worldSize);
    }
  });

  test.each([1, 4, 9])(
    "an object that aborts at its message %i is named at once",
    async (after) => {
      const ranks = new Ranks();
      const all = await ranks.form({ algorithm, faults: { 2: { after, kind: "abort" } } });
      const results = await ranks.allreduce(all);
      expect(results[2]).toMatchObject({ died: expect.stringContaining("an injected fault") });
      for (const rank of [0, 1, 3]) {
        const { failure } = results[rank] as { failure: { afterMs: number } };
        expect(failure).toMatchObject({ fault: "lost", peer: 2 });
        expect(failure.afterMs).toBeLessThan(10_000);
      }
      // the next generation does without what is left of this one
      const again = await ranks.allreduce(await ranks.form({ algorithm, generation: 2 }));
      for (const result of again) expect(result).toMatchObject({ wrong: 0 });
    },
  );

  test("an object that hangs is given up at the deadline", async () => {
    const ranks = new Ranks();
    const all = await ranks.form({
      algorithm,
      deadlineMs: 4000,
      faults: { 1: { after: 3, kind: "hang" } },
    });
    const results = await ranks.allreduce(all);
    for (const result of results) expect(result).toMatchObject({ failure: { fault: "silent" } });
    if (algorithm === "direct") expect(results[3]).toMatchObject({ failure: { peer: 1 } });
    const again = await ranks.allreduce(await ranks.form({ algorithm, generation: 2 }));
    for (const result of again) expect(result).toMatchObject({ wrong: 0 });
  });
});

test("a vector beyond the 32 MiB of one RPC message goes in chunks", async () => {
  const ranks = new Ranks();
  const all = await ranks.form({ worldSize: 2, length: 9_000_000, chunkBytes: 1 << 20 });
  for (const result of await ranks.allreduce(all)) expect(result).toMatchObject({ wrong: 0 });
});

test("another generation gets no link", async () => {
  const ranks = new Ranks();
  await ranks.form({ worldSize: 2, length: 10, generation: 5 });
  expect(await ranks.rank(0).linkOf(1, 5)).toBe("linked");
  expect(await ranks.rank(0).linkOf(1, 4)).toMatch(/rank 0 came in generation 4, now is 5/);
  expect(await ranks.rank(0).linkOf(1, 6)).toMatch(/rank 0 came in generation 6, now is 5/);
});

test("a rank whose peer has moved on is told so", async () => {
  const ranks = new Ranks();
  await ranks.form({ worldSize: 2 });
  await ranks.rank(1).join({
    group: ranks.group,
    rank: 1,
    worldSize: 2,
    generation: 2,
    length: 200_000,
    chunkBytes: 32_768,
    algorithm: "direct",
    lend: false,
    deadlineMs: 20_000,
  });
  const [result] = await ranks.allreduce([0]);
  expect(result).toMatchObject({ failure: { fault: "closed", peer: 1 } });
});
