import { expect, it } from "vitest";
import { commonStart } from "../../../src/jobs/training/group.ts";
import {
  endsEpoch,
  epochSpan,
  type TrainingPlan,
} from "../../../src/jobs/training/training-plan.ts";

const plan = (steps: number, stepsPerEpoch: number, epochsPerMeasurement = 1) =>
  ({
    steps,
    epochsPerMeasurement,
    batches: { rows: stepsPerEpoch, worldSize: 1, batchSize: 1, accumulation: 1, dropLast: false },
  }) as TrainingPlan;

function spans(subject: TrainingPlan) {
  const found = [];
  for (let index = 0; ; index++) {
    const span = epochSpan(subject, index);
    if (!span) return found;
    found.push(span);
  }
}

it("every step lies in one span, and ranks measure where spans end", () => {
  for (const [steps, perEpoch, width] of [
    [12, 4, 1],
    [10, 4, 1],
    [3, 4, 1],
    [1000, 3, 7],
  ] as const) {
    const subject = plan(steps, perEpoch, width);
    const found = spans(subject);
    expect(found.map(({ first }) => first)).toEqual([
      1,
      ...found.slice(0, -1).map(({ last }) => last + 1),
    ]);
    expect(found.at(-1)?.last).toBe(steps);
    const ends = Array.from({ length: steps }, (_, i) => i + 1).filter((step) =>
      endsEpoch(subject, step),
    );
    expect(ends).toEqual(found.map(({ last }) => last));
  }
});

it("a job that goes on measures where the epochs end that are left to it", () => {
  const { batches } = plan(1, 4);
  const goesOn = { ...plan(20, 4), stepsBefore: 9 };
  expect(spans(goesOn)).toEqual([
    { epoch: 3, first: 10, last: 12 },
    { epoch: 4, first: 13, last: 16 },
    { epoch: 5, first: 17, last: 20 },
  ]);
  const start = { step: 9, epoch: 2, before: [{ worldSize: 1, rows: 2 }] };
  const dealtAnew = {
    ...plan(15, 4),
    batches: { ...batches, batchSize: 2 },
    start,
    stepsBefore: 9,
  };
  expect(spans(dealtAnew)).toEqual([
    { epoch: 3, first: 10, last: 10 },
    { epoch: 4, first: 11, last: 12 },
    { epoch: 5, first: 13, last: 14 },
    { epoch: 6, first: 15, last: 15 },
  ]);
  expect([10, 11, 12, 13].map((step) => endsEpoch(dealtAnew, step))).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

it("epochs are counted from 1, an unfinished one too", () => {
  expect(spans(plan(10, 4)).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
});

const stored = (step: number) => ({ step, bytes: 1, createdAt: 0, keys: ["a", "b"] });

it("ranks go on from the latest step that all of them have", () => {
  expect(commonStart([{ steps: [4, 8] }, { steps: [8, 12] }], [])).toEqual({
    from: "local",
    step: 8,
  });
  expect(commonStart([{ steps: [4, 8] }, { steps: [12] }], [])).toEqual({ from: "beginning" });
  expect(commonStart([{ steps: [] }, { steps: [4] }], [])).toEqual({ from: "beginning" });
});

it("a checkpoint in R2 counts where it is later than what all ranks have", () => {
  const ranks = [{ steps: [4, 8] }, { steps: [8] }];
  expect(commonStart(ranks, [stored(4), stored(8)])).toEqual({ from: "local", step: 8 });
  expect(commonStart(ranks, [stored(12)])).toEqual({
    from: "stored",
    step: 12,
    worldSize: 2,
    keys: ["a", "b"],
  });
});
