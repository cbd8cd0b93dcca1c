/** @file Whole models, as torch exports them: their gradients are as close to those in float64 as torch's in float32. */
import { describe, expect, test } from "vitest";
import {
  checkCase,
  float32s,
  type GradientCase,
  readCases,
  runtimes,
  TORCH_FACTOR,
  unpack,
} from "./running.ts";

const models = readCases("models.json");

/** Beyond this a gradient is a difference of nearly equal numbers, in torch too: it counts for itself alone. */
const ILL_CONDITIONED = 1e-5;

/** The model's largest error in torch bounds them all, without a floor. */
function boundOf({ gradients }: GradientCase): (torchError: number) => number {
  const errors = Object.values(gradients).map(({ error }) => error);
  const largest = Math.max(...errors.filter((error) => error < ILL_CONDITIONED));
  return (torchError) => TORCH_FACTOR * Math.max(torchError, largest);
}

describe.each(["wasm", "native", "native with 2 threads"] as const)("%s", (name) => {
  const target = name === "wasm" ? "wasm" : "native";
  test.each(models)("$name", async (golden) => {
    await checkCase(golden, runtimes[name], { isSymbolic: true, target, bound: boundOf(golden) });
  });
});

test.each(models)("$name has gradients that are not 0", ({ gradients }) => {
  for (const [parameter, packed] of Object.entries(gradients)) {
    const largest = float32s(unpack(packed)).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(largest, parameter).toBeGreaterThan(1e-6);
  }
});
