/** @file What a mode's options leave open, from the training's figures: the allreduce's algorithm, the local steps. */
import { type Algorithm, chooseAlgorithm, chooseLocalSteps } from "../../collectives/choose.ts";
import type { Layout } from "../../train/layout.ts";
import type { TrainingSettings } from "../../train/options.ts";
import type { ModeOptions } from "./training-order.ts";

export interface PlannedMode extends ModeOptions {
  algorithm: Algorithm;
  local_steps: number;
}

/** Multiplications and additions that a parameter costs a row: two forward, four backward. Shared weights cost more. */
const OPERATIONS = 6;
/** Of ONNX Runtime's WebAssembly on one thread, roughly. */
const OPERATIONS_PER_MS = 1_500_000;

export function plannedMode(
  mode: ModeOptions,
  layout: Pick<Layout, "parameters" | "length">,
  { batchSize, accumulationSteps }: Pick<TrainingSettings, "batchSize" | "accumulationSteps">,
): PlannedMode {
  const ranks = mode.world_size;
  const bytes = layout.length * Float32Array.BYTES_PER_ELEMENT;
  const rows = batchSize * accumulationSteps;
  const stepMs = Math.max(1, (OPERATIONS * layout.parameters * rows) / OPERATIONS_PER_MS);
  return {
    ...mode,
    algorithm: mode.allreduce.algorithm ?? chooseAlgorithm(ranks, bytes),
    local_steps: mode.local_steps ?? chooseLocalSteps(stepMs, ranks, bytes),
  };
}
