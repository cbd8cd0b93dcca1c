import { describe, expect, test } from "vitest";
import type { Collective } from "../../../src/collectives/collective.ts";
import { createCollective } from "../../../src/collectives/create.ts";
import { MemoryNetwork } from "../../../src/collectives/memory-transport.ts";
import { VirtualTime } from "../../../src/collectives/simulator/virtual-time.ts";
import type { PeerError } from "../../../src/collectives/transport.ts";
import { ALGORITHMS, arena, collectives, disturbed, failures, turn, vectors } from "./ranks.ts";

const sum = { op: "sum" } as const;

function reduceAll(ranks: readonly Collective[], length = 100): Promise<void>[] {
  return vectors(ranks.length, length).map((vector, r) => ranks[r]!.allreduce(vector, sum));
}

/** The errors of an allreduce that one rank does not take part in. */
function without(absent: number, ranks: readonly Collective[]): Promise<unknown[]> {
  const running = vectors(ranks.length, 100).flatMap((vector, r) =>
    r === absent ? [] : [ranks[r]!.allreduce(vector, sum)],
  );
  return failures(running);
}

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("a rank that never comes is named by the ranks that wait for it", async () => {
    const clock = new VirtualTime(turn);
    const ranks = collectives(
      { worldSize: 4 },
      { algorithm, chunkBytes: 16, deadlineMs: 60, clock },
    );
    const failed = without(2, ranks);
    expect(await clock.passUntil(failed)).toBeLessThanOrEqual(90);
    const errors = await failed;
    for (const error of errors) expect(error).toMatchObject({ name: "PeerError", fault: "silent" });
    const blamed = errors.map((error) => (error as PeerError).peer);
    expect(blamed).toContain(2);
    if (algorithm === "direct") expect(blamed).toEqual([2, 2, 2]);
    expect(String(errors.find((error) => (error as PeerError).peer === 2))).toMatch(
      /rank 2 sent nothing for \d+ ms in operation 0, allreduce/,
    );
  });

  test.each([0, 1, 5, 17])(
    "a rank that falls silent after %i messages is found",
    async (passed) => {
      let sent = 0;
      const clock = new VirtualTime(turn);
      const ranks = collectives(
        { worldSize: 4, passes: ({ from }) => from !== 1 || sent++ < passed },
        { algorithm, chunkBytes: 16, deadlineMs: 60, clock },
      );
      const failed = failures(reduceAll(ranks));
      await clock.passUntil(failed);
      const errors = await failed;
      expect(errors.every((error) => (error as PeerError | undefined)?.fault === "silent")).toBe(
        true,
      );
      if (algorithm === "direct") expect((errors[0] as PeerError).peer).toBe(1);
    },
  );

  test.each([0, 3, 10])(
    "a rank that dies after %i messages fails the others by name",
    async (count) => {
      let sent = 0;
      const network = new MemoryNetwork({
        worldSize: 5,
        carry: disturbed(count),
        passes: () => {
          if (sent++ === count) network.kill(3);
          return true;
        },
      });
      const ranks = network
        .form(1)
        .map((transport) => createCollective({ transport, arena, algorithm, chunkBytes: 16 }));
      for (const error of await failures(reduceAll(ranks))) {
        expect(error).toMatchObject({ name: "PeerError", fault: "lost", peer: 3 });
      }
      await expect(ranks[0]!.barrier()).rejects.toMatchObject({ fault: "lost", peer: 3 });
    },
  );

  test("slow is not silent: what goes on past the deadline is left alone", async () => {
    const clock = new VirtualTime(turn);
    const slow = async (deliver: () => Promise<void>) => {
      await new Promise<void>((resolve) => clock.after(15, resolve));
      await deliver();
    };
    const ranks = collectives(
      { worldSize: 3, carry: slow },
      { algorithm, chunkBytes: 16, deadlineMs: 60, clock },
    );
    expect(await clock.passUntil(Promise.all(reduceAll(ranks, 90)))).toBeGreaterThan(60);
  });
});

test.each([1000, 20_000])(
  "a late rank holds two chunks of each peer, however long the vector is (%i)",
  async (length) => {
    const held = new Map<number, number>();
    const ranks = collectives(
      {
        worldSize: 5,
        passes: ({ from }, to) => {
          if (to === 4) held.set(from, (held.get(from) ?? 0) + 1);
          return true;
        },
      },
      { algorithm: "direct", chunkBytes: 40 },
    );
    const mine = vectors(5, length);
    const running = ranks.slice(0, 4).map((rank, r) => rank.allreduce(mine[r]!, sum));
    for (let i = 0; i < 50; i++) await turn();
    expect([...held.values()]).toEqual([2, 2, 2, 2]);
    await Promise.all([...running, ranks[4]!.allreduce(mine[4]!, sum)]);
  },
);

test("an earlier generation is refused, and the new one is not disturbed", async () => {
  const network = new MemoryNetwork({ worldSize: 3 });
  const old = network.form(1).map((transport) => createCollective({ transport, arena }));
  const fresh = network.form(2).map((transport) => createCollective({ transport, arena }));
  const late = failures(reduceAll(old));
  await Promise.all(reduceAll(fresh));
  for (const error of await late) {
    expect(error).toMatchObject({ fault: "stale" });
    expect(String(error)).toMatch(/sent in generation 1, now is 2/);
  }
});

test("the first to know tells the others whom to blame", async () => {
  let sent = 0;
  const clock = new VirtualTime(turn);
  const network = new MemoryNetwork({
    worldSize: 3,
    passes: ({ from }) => from !== 2 || sent++ < 1,
  });
  const ranks = network.form(1).map((transport, r) =>
    createCollective({
      transport,
      arena,
      algorithm: "direct",
      chunkBytes: 16,
      deadlineMs: r === 0 ? 40 : 10_000,
      clock,
    }),
  );
  const failed = without(2, ranks);
  await clock.passUntil(failed);
  expect(await failed).toMatchObject([
    { fault: "silent", peer: 2 },
    { fault: "silent", peer: 2 },
  ]);
});

test("ranks that perform different operations are told so", async () => {
  const ranks = collectives({ worldSize: 2 });
  const errors = await failures([
    ranks[0]!.allreduce(new Float32Array(4), sum),
    ranks[1]!.barrier(),
  ]);
  expect(String(errors[1])).toMatch(
    /RangeError: collectives: rank 0 sent allreduce\.contribute in operation 0, which is barrier here/,
  );
});

test("vectors of different lengths are told apart", async () => {
  const ranks = collectives({ worldSize: 2 });
  const errors = await failures(
    [4, 6].map((n, r) => ranks[r]!.allreduce(new Float32Array(n), sum)),
  );
  expect(errors.map(String).join()).toMatch(/rank \d sent \d elements at \d in operation 0/);
});

test("close ends what is under way, here and at the peers, and what comes later", async () => {
  const ranks = collectives({ worldSize: 3 }, { chunkBytes: 16 });
  const running = without(2, ranks);
  await turn();
  ranks[0]!.close("the job was canceled");
  const [own, peer] = await running;
  expect(own).toMatchObject({ fault: "closed", peer: 0 });
  expect(String(own)).toMatch(/rank 0 left: the job was canceled/);
  expect(peer).toMatchObject({ fault: "closed", peer: 0 });
  await expect(ranks[0]!.allreduce(new Float32Array(3), sum)).rejects.toMatchObject({
    fault: "closed",
  });
});

test("a rank alone needs nobody", async () => {
  const [alone] = collectives({ worldSize: 1 });
  const vector = Float32Array.of(1, 2);
  await alone!.allreduce(vector, { op: "mean" });
  expect(await alone!.reduceScatter(vector, sum)).toEqual({ start: 0, end: 2 });
  await alone!.broadcast(vector, 0);
  await alone!.barrier();
  expect([...vector, alone!.counts.messagesSent]).toEqual([1, 2, 0]);
});

test("nonsense is refused", async () => {
  expect(() => collectives({ worldSize: 2 }, { chunkBytes: 3 })).toThrow(/chunks of 3 bytes/);
  expect(() => collectives({ worldSize: 2 }, { deadlineMs: 0 })).toThrow(/deadline of 0 ms/);
  const [rank] = collectives({ worldSize: 2 });
  await expect(rank!.broadcast(new Float32Array(1), 2)).rejects.toThrow(/root 2 of 2 ranks/);
  const residual = new Float32Array(2);
  await expect(rank!.allreduce(new Float32Array(3), { op: "sum", residual })).rejects.toThrow(
    /residual of 2 elements for a vector of 3/,
  );
});
