import { expect, test } from "vitest";
import { makeOptimizer } from "../../../../src/train/optimizer.ts";
import {
  type OptimizerOptions,
  optimizerSettings,
} from "../../../../src/train/optimizer-options.ts";
import goldens from "../../../goldens/train/optimizers.json" with { type: "json" };

function floats(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/**
 * The largest difference of a step's result from torch's, in units of the last place of the larger of the
 * value before and the value after: where the two nearly cancel, the rounding is that of the larger.
 */
function ulps(found: Float32Array, torch: Float32Array, before: Float32Array): number {
  const errors = found.map((value, i) => {
    const expected = torch[i] ?? NaN;
    const size = Math.max(Math.abs(expected), Math.abs(before[i] ?? NaN), 2 ** -126);
    return Math.abs(value - expected) / 2 ** (Math.floor(Math.log2(size)) - 23);
  });
  return Math.max(...errors);
}

const cases = goldens.cases.map(
  (golden) => [golden.type, JSON.stringify(golden.options), golden] as const,
);

test.each(cases)("%s %s steps as torch's does", (type, _, golden) => {
  const options = { type, lr: 0.1, ...golden.options } as OptimizerOptions;
  const settings = optimizerSettings(options);
  const optimizer = makeOptimizer(settings);
  // parameters, then the state's slots
  let vectors = [floats(golden.start), ...optimizer.slots.map(() => new Float32Array(37))];
  const errors: number[] = [];
  for (const [step, expected] of golden.steps.entries()) {
    const before = vectors.map((vector) => vector.slice());
    const [parameters = new Float32Array(), ...state] = vectors;
    optimizer.apply(parameters, floats(expected.gradient), state, {
      learningRate: expected.lr,
      step,
      weightDecay: settings.weightDecay,
    });
    const torch = [expected.parameters, ...expected.state].map(floats);
    expect(vectors.length).toBe(torch.length);
    errors.push(
      ...vectors.map((vector, i) => ulps(vector, torch[i] ?? vector, before[i] ?? vector)),
    );
    // each step from torch's state, so that it is judged by itself
    vectors = torch;
  }
  // torch fuses some multiplications with additions; a decay that is added may cancel the gradient
  const added = type !== "adamw" && settings.weightDecay > 0;
  expect(Math.max(...errors)).toBeLessThanOrEqual(type === "lion" ? 0 : added ? 4 : 2);
});
