/** @file Results of evaluations that are not what was asked for are not taken. */
import { expect, it } from "vitest";
import type { TaskOrder } from "../../../src/jobs/runners/task-order.ts";
import { resultProblem } from "../../../src/jobs/runners/task-result.ts";

const order: TaskOrder = {
  id: "job",
  kind: "evaluate",
  group: "job",
  spec: { rows: 10, metrics: ["accuracy", "mse"] },
  needs: {},
  sources: {},
  targets: {},
};

it.each<[string | undefined, object]>([
  [undefined, {}],
  ["9 rows, 10 were asked for", { rows: 9 }],
  ["there is no mse", { metrics: { accuracy: 1 } }],
  ["accuracy is 1.5", { metrics: { accuracy: 1.5, mse: 0 } }],
  ["metrics.mse: Invalid input: expected number, received string", { metrics: { mse: "0" } }],
])("%s", async (problem, changed) => {
  const result = { backend: "cpu", rows: 10, metrics: { accuracy: 0.5, mse: 3 }, ...changed };
  expect(await resultProblem({} as Env, order, 1, result)).toBe(problem);
});
