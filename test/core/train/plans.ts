/** @file The goldens of training and the plans that the tests build for their models. */
import { readFileSync } from "node:fs";

import type { Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { type TrainingOptions, trainingSettings } from "../../../src/train/options.ts";
import { buildStep, type StepPlan } from "../../../src/train/step-model.ts";
import { LABEL } from "../../../src/train/step-plan.ts";
import { type Feeds, tensor } from "./stepping.ts";

/** A run of torch's. */
export interface Run {
  row: number[];
  lr: number;
  batches: { x: number[]; y: number[] }[];
  losses: number[];
  state: Record<string, number[]>;
}

export async function open(name: "mlp" | "conv" | "teacher"): Promise<Model> {
  const file = `${import.meta.dirname}/../../goldens/train/${name}.onnx`;
  return await readModel(new MemorySource(new Uint8Array(readFileSync(file))));
}

export const batchesOf = ({ row, batches }: Run): Feeds[] =>
  batches.map(({ x, y }) => ({
    x: tensor("float32", [y.length, ...row], x),
    [LABEL]: tensor("int64", [y.length], y),
  }));

/** For float32 rows `x` and one int64 label a row. */
export async function plan(
  model: Model,
  row: number[],
  options: TrainingOptions = {},
  teacher?: Model,
): Promise<StepPlan> {
  const fields = {
    x: { dtype: "float32", shape: row },
    [LABEL]: { dtype: "int64", shape: [] },
  } as const;
  return await buildStep(model, trainingSettings(options), { fields }, { teacher });
}

/** The float32 initializers. */
export async function weightsOf(model: Model): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const [name, { data, dataType }] of model.graph.initializers) {
    if (dataType === 1) weights.set(name, new Float32Array((await readAll(data)).slice().buffer));
  }
  return weights;
}
