import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Simulated } from "../../../scripts/collectives.ts";
import { allreduceMs, chooseAlgorithm, chooseLocalSteps } from "../../../src/collectives/choose.ts";
import { type Link, type LinkName, LINKS } from "../../../src/collectives/link.ts";
import { type Simulation, simulateAllreduce } from "../../../src/collectives/simulator/simulate.ts";
import { VirtualTime } from "../../../src/collectives/simulator/virtual-time.ts";
import { ALGORITHMS, arena, turn } from "./ranks.ts";

const NAMES: readonly LinkName[] = ["machine", "region", "world"];

async function simulate(simulation: Omit<Simulation, "arena" | "idle">) {
  return await simulateAllreduce({ ...simulation, arena, idle: turn });
}

test("virtual time passes in order, and its timers can be canceled", async () => {
  const time = new VirtualTime(turn);
  const seen: string[] = [];
  const log = (what: string) => () => void seen.push(`${what} at ${time.now()}`);
  time.after(30, log("c"));
  time.after(10, log("a"));
  time.after(20, log("never"))();
  time.after(10, log("b"));
  const { promise, resolve } = Promise.withResolvers<void>();
  time.after(31, resolve);
  expect(await time.passUntil(promise)).toBe(31);
  expect(seen).toEqual(["a at 10", "b at 10", "c at 30"]);
  await expect(time.passUntil(new Promise(() => {}))).rejects.toThrow(/nothing is under way/);
});

test("two ranks take two messages' time and three latencies", async () => {
  const link: Link = { ...LINKS.region, latencyMs: 7, bytesPerMs: 1000, messageMs: 2 };
  const { ms, messagesPerRank, bytesPerRank } = await simulate({
    algorithm: "direct",
    worldSize: 2,
    bytes: 200_000,
    link,
  });
  expect({ messagesPerRank, bytesPerRank }).toEqual({ messagesPerRank: 2, bytesPerRank: 200_000 });
  // each way: the sender's 2 + 100, 7 under way, the receiver's 2; and the last answer
  expect(ms).toBeCloseTo(2 * (2 + 100 + 7 + 2) + 7, 6);
});

describe.each(NAMES)("link %s", (name) => {
  const link = LINKS[name];
  test("the closed forms are within 30 % of the simulation, and the choice within 15 % of the best", async () => {
    for (const worldSize of [2, 4, 8, 24]) {
      for (const bytes of [40_000, 4_000_000, 40_000_000]) {
        const found = { direct: 0, ring: 0 };
        for (const algorithm of ALGORITHMS) {
          const { ms } = await simulate({ algorithm, worldSize, bytes, link });
          found[algorithm] = ms;
          const ratio = allreduceMs(algorithm, worldSize, bytes, link) / ms;
          const which = `${algorithm}, ${worldSize} ranks, ${bytes} bytes: ${ratio}`;
          expect(Math.abs(ratio - 1), which).toBeLessThan(0.3);
        }
        const chosen = found[chooseAlgorithm(worldSize, bytes, link)];
        expect(chosen).toBeLessThanOrEqual(1.15 * Math.min(found.direct, found.ring));
      }
    }
  });
});

test("the closed forms are within 25 % of all figures in the documentation, up to its largest groups", () => {
  const file = `${import.meta.dirname}/../../../docs/collectives.json`;
  const { allreduces } = JSON.parse(readFileSync(file, "utf8")) as { allreduces: Simulated[] };
  for (const { link, bytes, worldSize, algorithm, ms } of allreduces) {
    const ratio = allreduceMs(algorithm, worldSize, bytes, LINKS[link]) / ms;
    const which = `${algorithm}, ${worldSize} ranks, ${bytes} bytes over ${link}: ${ratio}`;
    expect(Math.abs(ratio - 1), which).toBeLessThan(0.25);
  }
  expect(Math.max(...allreduces.map(({ worldSize }) => worldSize))).toBe(1024);
});

test("over four regions the ring is worse by its hops, and local steps pay", () => {
  expect(chooseAlgorithm(64, 4_000_000, LINKS.world)).toBe("direct");
  expect(chooseLocalSteps(100, 64, 4_000_000, LINKS.world)).toBeGreaterThan(20);
  expect(chooseLocalSteps(1000, 2, 40_000, LINKS.machine)).toBe(1);
  expect(chooseLocalSteps(0.001, 64, 40_000_000, LINKS.world)).toBe(500);
});

test("a rank that is ten times slower sets the pace of all", async () => {
  const slowdown = (rank: number) => (rank === 3 ? 10 : 1);
  for (const algorithm of ALGORITHMS) {
    const base = { algorithm, worldSize: 8, bytes: 4_000_000, link: LINKS.region };
    const even = await simulate(base);
    const uneven = await simulate({ ...base, slowdown });
    expect(uneven.ms).toBeGreaterThan(5 * even.ms);
  }
});

test("lost messages are sent again: later, but the same sum", async () => {
  const base = { worldSize: 8, bytes: 4_000_000, link: LINKS.region };
  for (const algorithm of ALGORITHMS) {
    const calm = await simulate({ ...base, algorithm });
    const loss = { part: 0.05, resendMs: 200, seed: 7 };
    const lossy = await simulate({ ...base, algorithm, loss });
    expect(lossy.ms).toBeGreaterThan(calm.ms + 199);
    expect(lossy.bytesPerRank).toBe(calm.bytesPerRank);
    expect((await simulate({ ...base, algorithm, loss })).ms).toBe(lossy.ms);
  }
});
