import { expect, it } from "vitest";
import { newTraining, over } from "./trainings.ts";

it("one rank trains to a lower loss, and the model says where it comes from", async () => {
  const training = await newTraining();
  const made = await training.train({
    epochs: 3,
    batch_size: 16,
    optimizer: { type: "adam", lr: 0.02 },
  });
  expect(made.json).toMatchObject({ object: "job", operation: "train" });
  expect(made.status).toBe(202);
  const job = await over(training, made.json.id);
  expect(job.error).toBeNull();
  expect(job).toMatchObject({ state: "succeeded", attempts: 1, checkpoint_step: 18 });
  expect(job.metrics).toHaveLength(3);
  const [first, , last] = job.metrics;
  expect(last.loss).toBeLessThan(first.loss * 0.7);
  expect(last.accuracy).toBeGreaterThan(0.9);
});
