import { describe, expect, it } from "vitest";

import { type TrainingOptions, trainingSettings } from "../../../src/train/options.ts";

describe("options", () => {
  it("have torch's defaults", () => {
    expect(trainingSettings({})).toMatchObject({
      loss: { type: "cross_entropy", labelSmoothing: 0, ignoreIndex: -100 },
      optimizer: { type: "adam", lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
      schedule: { type: "constant", warmupSteps: 0 },
      batchSize: 32,
      epochs: 1,
      steps: undefined,
      accumulationSteps: 1,
    });
    expect(trainingSettings({ optimizer: "adamw" }).optimizer.weightDecay).toBe(0.01);
    expect(trainingSettings({ optimizer: "lion" }).optimizer.betas).toEqual([0.9, 0.99]);
  });

  it("may be a name alone, or the name with more", () => {
    const short = trainingSettings({ loss: "huber", optimizer: "sgd", schedule: "cosine" });
    const long = trainingSettings({
      loss: { type: "huber", delta: 1 },
      optimizer: { type: "sgd", lr: 0.01 },
      schedule: { type: "cosine", min_lr: 0 },
    });
    expect(short).toEqual(long);
    expect(trainingSettings({ loss: "output:my loss" }).loss).toMatchObject({
      type: "output",
      output: "my loss",
    });
    expect(trainingSettings({ lora: true, qat: false }).lora).toEqual({
      rank: 8,
      alpha: 16,
      target: undefined,
    });
    expect(trainingSettings({ steps: 10 })).toMatchObject({ steps: 10, epochs: undefined });
  });

  const WRONG: [TrainingOptions, string][] = [
    [{ loss: "crossentropy" as never }, `loss "crossentropy" is none of cross_entropy, `],
    [{ loss: "crossentropy" as never }, "nearest: cross_entropy"],
    [{ loss: { type: "mse", delta: 2 } }, `loss mse has no "delta"`],
    [{ loss: { type: "huber", delta: 0 } }, "delta is 0, it has to be a number, above 0"],
    [{ loss: { type: "cross_entropy", label_smoothing: 1 } }, "label_smoothing is 1"],
    [{ optimizer: { type: "adam", momentum: 0.9 } }, `optimizer adam has no "momentum"`],
    [{ optimizer: { type: "sgd", nesterov: true } }, "nesterov needs a momentum (0)"],
    [{ optimizer: { type: "adam", lr: Number.NaN } }, "lr is null"],
    [{ optimizer: { type: "adam", betas: [1, 0.9] } }, "betas[0] is 1"],
    [{ schedule: { type: "constant", gamma: 0.5 } }, `schedule constant has no "gamma"`],
    [{ epochs: 1, steps: 2 }, "give epochs (1) or steps (2), not both"],
    [{ batch_size: 1.5 }, "batch_size is 1.5, it has to be a number, whole, at least 1"],
    [{ seed: -1 }, "seed is -1"],
    [{ clip_norm: 0 }, "clip_norm is 0"],
    [{ lora: { rank: 0 } }, "lora.rank is 0"],
    [{ lora: { ranks: 2 } as never }, `lora has no "ranks"; nearest: rank`],
    [{ lora: true, keep_sparsity: true }, "lora and keep_sparsity do not go together"],
    [{ lora: true, qat: true }, "lora and qat do not go together"],
    [{ qat: { op_types: ["LSTM"] } }, `qat.op_types "LSTM" is none of Conv`],
    [{ teacher: { temperature: 0 } }, "teacher.temperature is 0"],
    [{ teacher: { alpha: 1.5 } }, "teacher.alpha is 1.5"],
  ];
  it.each(WRONG)("%j is refused with what it can be", (options, message) => {
    expect(() => trainingSettings(options)).toThrow(message);
    expect(() => trainingSettings(options)).toThrow(RangeError);
  });
});
