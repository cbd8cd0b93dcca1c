import { expect, test } from "vitest";
import { type ScheduleOptions, scheduleSettings } from "../../../src/train/optimizer-options.ts";
import { learningRate } from "../../../src/train/schedule.ts";
import goldens from "../../goldens/train/schedules.json" with { type: "json" };

const cases = goldens.cases.map(
  (golden) => [golden.type, JSON.stringify(golden.options), golden] as const,
);

test.each(cases)("%s %s is as transformers and torch have it", (type, _, golden) => {
  const schedule = scheduleSettings({ type, ...golden.options } as ScheduleOptions);
  for (const [step, expected] of golden.rates.entries()) {
    const rate = learningRate(schedule, golden.lr, step, golden.total);
    expect(Math.abs(rate - expected), `step ${step}`).toBeLessThanOrEqual(1e-15);
  }
});

test("linear ends at min_lr as cosine does", () => {
  const schedule = scheduleSettings({ type: "linear", min_lr: 0.1 });
  const rates = [0, 5, 10, 20].map((step) => learningRate(schedule, 0.5, step, 10));
  [0.5, 0.3, 0.1, 0.1].forEach((rate, i) => expect(rates[i]).toBeCloseTo(rate, 12));
});

test("warm-up comes before the first stair of step, whose size is a third of the steps if not given", () => {
  const schedule = scheduleSettings({ type: "step", warmup_steps: 2, gamma: 0.1 });
  const rates = Array.from({ length: 11 }, (_, step) => learningRate(schedule, 1, step, 9));
  const stairs = [0, 0.5, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01];
  rates.forEach((rate, step) => expect(rate).toBeCloseTo(stairs[step] ?? NaN, 12));
});
