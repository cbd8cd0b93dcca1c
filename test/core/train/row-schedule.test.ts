import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchPlan, RankEpoch, stepsPerEpoch } from "../../../src/train/batches.ts";
import {
  continued,
  rowPlace,
  type RowSchedule,
  stepsOfEpochs,
} from "../../../src/train/row-schedule.ts";

const groups = fc.record({
  worldSize: fc.integer({ min: 1, max: 6 }),
  batchSize: fc.integer({ min: 1, max: 20 }),
  accumulation: fc.integer({ min: 1, max: 3 }),
});

const plans = fc
  .tuple(groups, fc.integer({ min: 6, max: 300 }), fc.nat())
  .map(([group, rows, seed]): BatchPlan => ({
    rows,
    seed,
    blockRows: 10,
    windowBlocks: 2,
    dropLast: false,
    shuffle: true,
    ...group,
  }));

/** Rows that all ranks read in the steps from `first` to before `end`, by epoch. */
function read(schedule: RowSchedule, first: number, end: number): Map<number, number[]> {
  const rows = new Map<number, number[]>();
  for (let step = first; step < end; step++) {
    const place = rowPlace(schedule, step);
    for (let rank = 0; rank < place.plan.worldSize; rank++) {
      for (const batch of new RankEpoch(place.plan, place.epoch, rank).batches(place.step)) {
        rows.set(place.epoch, [...(rows.get(place.epoch) ?? []), ...batch]);
      }
    }
  }
  return rows;
}

test("other ranks and batches from a checkpoint on: every row comes once in every epoch", () => {
  fc.assert(
    fc.property(
      plans,
      fc.array(fc.tuple(groups, fc.integer({ min: 0, max: 12 })), { minLength: 1, maxLength: 3 }),
      (plan, changes) => {
        let schedule: RowSchedule = { batches: plan };
        let step = 0;
        const all = new Map<number, number[]>();
        const add = (end: number) => {
          for (const [epoch, rows] of read(schedule, step, end)) {
            all.set(epoch, [...(all.get(epoch) ?? []), ...rows]);
          }
          step = end;
        };
        for (const [group, steps] of changes) {
          add(step + steps);
          schedule = continued(schedule, step, { ...plan, ...group }, true);
        }
        const { epoch } = rowPlace(schedule, step);
        add(stepsOfEpochs(schedule, epoch + 2));
        expect(rowPlace(schedule, step)).toMatchObject({ epoch: epoch + 2, step: 0 });
        for (let each = 0; each < epoch + 2; each++) {
          expect(all.get(each)?.toSorted((a, b) => a - b)).toEqual([...Array(plan.rows).keys()]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

const PLAN: BatchPlan = {
  rows: 96,
  worldSize: 3,
  batchSize: 8,
  accumulation: 1,
  blockRows: 10,
  windowBlocks: 2,
  seed: 1,
  dropLast: false,
  shuffle: true,
};

test("rows that fill no batch are refused", () => {
  const batches = { ...PLAN, rows: 20, dropLast: true };
  expect(() => rowPlace({ batches }, 0)).toThrow(
    "train: 20 rows fill no batch of 8 on each of 3 ranks",
  );
});

test("the same ranks and batches go on as if nothing had happened", () => {
  expect(continued({ batches: PLAN }, 6, { ...PLAN }, true)).toEqual({ batches: PLAN });
});

test("other rows begin an epoch of their own, unless none was under way", () => {
  const other = { ...PLAN, rows: 40 };
  expect(continued({ batches: PLAN }, 6, other, false).start).toEqual({ step: 6, epoch: 2 });
  expect(continued({ batches: PLAN }, 8, other, false).start).toEqual({ step: 8, epoch: 2 });
  expect(continued({ batches: PLAN }, 6, { ...PLAN, seed: 2 }, true).start).toEqual({
    step: 6,
    epoch: 2,
  });
});

test("steps of epochs count those before the start", () => {
  const schedule = continued({ batches: PLAN }, 6, { ...PLAN, worldSize: 2 }, true);
  expect(schedule.start?.before).toEqual([{ worldSize: 3, rows: 16 }]);
  expect(stepsPerEpoch(schedule.batches)).toBe(6);
  expect([0, 1, 2, 3].map((epochs) => stepsOfEpochs(schedule, epochs))).toEqual([6, 6, 9, 15]);
});
