/** @file The search's strategy: on sums that are known, and on real models run by ONNX Runtime. */
import { describe, expect, it } from "vitest";
import { grouped, groupCount, halves } from "../../../src/search/groups.ts";
import { search } from "../../../src/search/search.ts";
import type { Measure } from "../../../src/search/trials.ts";
import { onCurve, type SearchGoal, type SearchMethod } from "../../../src/search/trial.ts";

const GOAL: SearchGoal = {
  maxDrop: 0.01,
  higherIsBetter: true,
  minimize: "bytes",
  maxEvaluations: 40,
};
const NODES = Array.from({ length: 12 }, (_, i) => ({ name: `n${i}`, bytes: 100 + i }));
const SAVED = NODES.reduce((sum, { bytes }) => sum + bytes, 0);

/** A model of 2,000 bytes; each node that is compressed saves its bytes, and costs what `drops` says. */
function additive(drops: Record<string, number>, asked: string[] = []): Measure {
  return async (candidate) => {
    if (candidate === null) return { bytes: 2000, metric: 0.9, latencyMs: null };
    const done = NODES.filter(({ name }) => !candidate.excluded.includes(name));
    asked.push(`${candidate.method}: ${done.map(({ name }) => name).join(" ")}`);
    const bytes = 2000 - done.reduce((sum, node) => sum + node.bytes, 0);
    const metric = 0.9 - done.reduce((sum, { name }) => sum + (drops[name] ?? 0), 0);
    return { bytes, metric, latencyMs: null };
  };
}

const method = (what: string, bytes = 2000 - SAVED): SearchMethod => ({
  what,
  bytes,
  nodes: NODES,
});

it("a method that is close enough as it is needs no more", async () => {
  const found = await search(GOAL, [method("a")], additive({ n3: 0.01 }));
  expect(found).toMatchObject({ best: 1, exhausted: false });
  expect(found.trials).toHaveLength(2);
  expect(found.trials[1]).toMatchObject({ candidate: { method: 0, excluded: [] }, meets: true });
});

it("the node that ruins it is found, and it alone stays as it was", async () => {
  const found = await search(GOAL, [method("a")], additive({ n3: 0.5, n7: 0.004 }));
  const best = found.trials[found.best ?? 0];
  expect(best?.candidate?.excluded).toEqual(["n3"]);
  expect(found.trials.length).toBeLessThanOrEqual(1 + 1 + 12 + 4);
});

it("with fewer measurements than nodes, groups are measured, and the one that is too much is halved", async () => {
  const goal = { ...GOAL, maxEvaluations: 12 };
  const found = await search(goal, [method("a")], additive({ n3: 0.5 }));
  expect(found.trials.length).toBeLessThanOrEqual(12);
  expect(found.trials[found.best ?? 0]?.candidate?.excluded).toEqual(["n3"]);
});

it("two nodes that each ruin it are both left out", async () => {
  // Either one alone takes all there is to lose, so that leaving out one shows nothing.
  const measure: Measure = async (candidate) => {
    const outcome = await additive({ n2: 0.9, n9: 0.9 })(candidate);
    return "metric" in outcome ? { ...outcome, metric: Math.max(outcome.metric, 0.1) } : outcome;
  };
  const found = await search(GOAL, [method("a")], measure);
  expect(found.trials[found.best ?? 0]?.candidate?.excluded).toEqual(["n2", "n9"]);
});

it("what one method leaves out another takes, where it is close enough on the whole", async () => {
  const drops: Record<string, number> = { n3: 0.5, n7: 0.02 };
  const measure: Measure = async (candidate) => {
    const outcome = await additive(drops)(candidate);
    if (candidate === null || !("bytes" in outcome)) return outcome;
    if (candidate.method === 1) return { ...outcome, bytes: 1400, metric: 0.899 };
    if (candidate.rest === undefined) return outcome;
    const left = NODES.filter(({ name }) => candidate.excluded.includes(name));
    const saved = left.reduce((sum, { bytes }) => sum + bytes / 2, 0);
    return { ...outcome, bytes: outcome.bytes - saved, metric: outcome.metric - 0.001 };
  };
  const methods = [{ ...method("four"), rest: 1 }, method("eight", 1400)];
  const found = await search(GOAL, methods, measure);
  const best = found.trials[found.best ?? 0];
  expect(best?.candidate).toEqual({ method: 0, excluded: ["n3", "n7"], rest: 1 });
  // Nothing that leaves nodes as they are could be smaller: none is measured beyond each node alone.
  const single = found.trials.filter(({ candidate }) => candidate && candidate.rest === undefined);
  expect(single.map(({ candidate }) => candidate?.excluded.length)).toEqual([
    0,
    0,
    ...NODES.map(() => NODES.length - 1),
    1,
  ]);
  const strict = await search({ ...GOAL, maxDrop: 0.0005 }, methods, measure);
  expect(strict.trials.every(({ candidate }) => candidate?.rest === undefined)).toBe(true);
});

it("few measurements are not shared: the method that promises most has them", async () => {
  const measure: Measure = async (candidate) => {
    const far: Record<string, number> = { n1: 0.2, n2: 0.2 };
    return await additive(candidate?.method === 0 ? { n3: 0.02 } : far)(candidate);
  };
  const methods = [method("near", 1000), ...["a", "b", "c", "d"].map((what) => method(what))];
  const found = await search({ ...GOAL, maxEvaluations: 20 }, methods, measure);
  expect(found.trials[found.best ?? 0]?.candidate).toEqual({ method: 0, excluded: ["n3"] });
});

it("no more is measured than is allowed, whatever that is", async () => {
  for (let maxEvaluations = 1; maxEvaluations < 30; maxEvaluations++) {
    const asked: string[] = [];
    const drops = Object.fromEntries(NODES.map(({ name }, i) => [name, 0.002 * (i % 5)]));
    const methods = [method("a"), method("b", 1500)];
    const found = await search({ ...GOAL, maxEvaluations }, methods, additive(drops, asked));
    expect(asked.length).toBeLessThanOrEqual(maxEvaluations - 1);
    expect(new Set(asked).size).toBe(asked.length);
    expect(found.trials).toHaveLength(asked.length + 1);
    const best = found.trials[found.best ?? 0];
    expect(best?.meets).toBe(true);
  }
});

it("the same answers bring the same questions", async () => {
  const drops = { n1: 0.02, n4: 0.003, n5: 0.006, n8: 0.3 };
  const [first, second]: [string[], string[]] = [[], []];
  await search(GOAL, [method("a"), method("b", 1700)], additive(drops, first));
  await search(GOAL, [method("a"), method("b", 1700)], additive(drops, second));
  expect(second).toEqual(first);
  expect(first.length).toBeGreaterThan(10);
});

it("a loss is better the lower it is, and what is refused is no end", async () => {
  const measure: Measure = async (candidate) => {
    if (candidate?.method === 0) return { refused: "no weight changes" };
    const bytes = candidate === null ? 2000 : 900;
    return { bytes, metric: candidate === null ? 0.3 : 0.305, latencyMs: null };
  };
  const goal = { ...GOAL, higherIsBetter: false };
  const found = await search(goal, [method("a"), method("b")], measure);
  expect(found.trials.map(({ drop }) => drop)).toEqual([0, null, expect.closeTo(0.005, 9)]);
  expect(found.best).toBe(2);
  const none = await search({ ...goal, maxDrop: 0.001 }, [method("b")], measure);
  expect(none.best).toBeUndefined();
});

it("latency is minimized where it is asked for; an original that is not measured is an error", async () => {
  const measure: Measure = async (candidate) => {
    const latencyMs = candidate === null ? 5 : candidate.method === 0 ? 7 : 3;
    return { bytes: candidate?.method === 0 ? 500 : 900, metric: 0.9, latencyMs };
  };
  const methods = [method("small"), method("fast")];
  const found = await search({ ...GOAL, minimize: "latency" }, methods, measure);
  expect(found.trials[found.best ?? 0]?.candidate?.method).toBe(1);
  expect(onCurve({ minimize: "latency" }, found.trials)).toEqual([false, false, true]);
  const refused: Measure = async () => ({ refused: "no rows" });
  await expect(search(GOAL, methods, refused)).rejects.toThrow(
    /original was not measured: no rows/,
  );
});

it("the curve has what nothing else beats", () => {
  const trial = (bytes: number, drop: number | null) => ({
    candidate: null,
    outcome: drop === null ? { refused: "x" } : { bytes, metric: 0, latencyMs: null },
    drop,
    meets: false,
  });
  const trials = [
    trial(100, 0),
    trial(50, 0.1),
    trial(50, 0.2),
    trial(40, 0.1),
    trial(90, 0),
    trial(10, null),
  ];
  expect(onCurve({ minimize: "bytes" }, trials)).toEqual([false, false, false, true, true, false]);
});

describe("groups", () => {
  it("are neighbours of about equal bytes, none empty, and hold all nodes", () => {
    for (let count = 1; count <= 14; count++) {
      const groups = grouped(NODES, count);
      expect(groups).toHaveLength(Math.min(count, NODES.length));
      expect(groups.flat()).toEqual(NODES);
      expect(Math.min(...groups.map((group) => group.length))).toBeGreaterThan(0);
    }
    const skewed = [1000, 1, 1, 1].map((bytes, i) => ({ name: String(i), bytes }));
    expect(grouped(skewed, 2).map((group) => group.length)).toEqual([1, 3]);
    expect(halves(skewed.toReversed()).map((group) => group.length)).toEqual([3, 1]);
  });

  it("are as many as their measurements and the bisection allow", () => {
    expect([2, 3, 6, 11, 100].map((left) => groupCount(12, left))).toEqual([1, 2, 2, 6, 12]);
    expect(groupCount(1000, 1000)).toBe(16);
  });
});
