import { expect, it } from "vitest";

import { bytesOf } from "../../../src/data/numbers.ts";
import { MemoryRows } from "../../../src/data/rows.ts";
import { RankData } from "../../../src/jobs/training/rank-data.ts";
import { failureOf } from "../../../src/jobs/training/rank-failure.ts";
import type { TrainingPlan } from "../../../src/jobs/training/training-plan.ts";

const ROWS = 12;
const BATCHES = {
  rows: ROWS,
  worldSize: 1,
  batchSize: 4,
  accumulation: 1,
  blockRows: 4,
  windowBlocks: 2,
  seed: 0,
  dropLast: false,
  shuffle: false,
};

it("a label that only a rank gets to see ends the job with the row", async () => {
  const labels = Int32Array.from({ length: ROWS }, (_, row) => (row === 9 ? 5 : 1));
  const rows = new MemoryRows(
    { fields: [{ name: "y", dtype: "int32", shape: [] }], rows: ROWS },
    new Map([["y", bytesOf(labels)]]),
  );
  const plan = {
    worldSize: 1,
    labels: { classes: 3, ignoreIndex: -100 },
    fields: { "hone.label": { field: "y", scale: 1 } },
    batches: BATCHES,
  } as unknown as TrainingPlan;
  const data = new RankData(plan, 0, rows, rows);
  await data.step(0);
  await data.step(1);
  const error: unknown = await data.step(2).catch((thrown: unknown) => thrown);
  expect(failureOf(error, 2)).toEqual({
    kind: "fatal",
    message: expect.stringMatching(/field "y" is 5 in row 9 of the rows to train on/) as string,
  });
  await expect(Array.fromAsync(data.validation())).rejects.toThrow(/row 9 of the validation rows/);
});
