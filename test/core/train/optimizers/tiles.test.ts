import { expect, test } from "vitest";
import { makeOptimizer } from "../../../../src/train/optimizer.ts";
import {
  type OptimizerOptions,
  optimizerSettings,
} from "../../../../src/train/optimizer-options.ts";
import { arena } from "../modes/world.ts";

const OPTIONS: OptimizerOptions[] = [
  { type: "sgd" },
  { type: "sgd", momentum: 0.9, nesterov: true, weight_decay: 0.1 },
  { type: "adam", weight_decay: 0.1 },
  { type: "adamw" },
  { type: "lion", weight_decay: 0.1 },
];

const LENGTH = 10_001;

const wave = (frequency: number): Float32Array =>
  Float32Array.from({ length: LENGTH }, (_, i) => Math.sin(i * frequency) * 10 ** ((i % 9) - 6));

/** Parameters and state after three steps on stretches that end at `cuts`. */
function steps(options: OptimizerOptions, simd: boolean, cuts: readonly number[]): Float32Array[] {
  const settings = optimizerSettings(options);
  const optimizer = makeOptimizer(settings, simd ? arena : undefined);
  const parameters = wave(1.1);
  const state = optimizer.slots.map(() => new Float32Array(LENGTH));
  for (let step = 0; step < 3; step++) {
    const gradients = wave(0.7 + step);
    let start = 0;
    for (const end of [...cuts, LENGTH]) {
      optimizer.apply(
        parameters.subarray(start, end),
        gradients.subarray(start, end),
        state.map((slot) => slot.subarray(start, end)),
        { learningRate: 0.01, step, weightDecay: settings.weightDecay },
      );
      start = end;
    }
  }
  return [parameters, ...state];
}

test.each(OPTIONS)("kernels and cuts change no bit: %o", (options) => {
  const plain = steps(options, false, []);
  expect(steps(options, true, [])).toEqual(plain);
  expect(steps(options, true, [1, 2, 2, 4100, 9999])).toEqual(plain);
  const free = arena.available;
  steps(options, true, [17]);
  expect(arena.available).toBe(free);
});
