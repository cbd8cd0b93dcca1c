/** @file What a job works out once and its ranks read: plain data, in R2 under the job. */
import type { LabelRange } from "../../data/check-labels.ts";
import type { BatchPlan } from "../../train/batches.ts";
import type { Layout } from "../../train/layout.ts";
import type { TrainingOptions } from "../../train/options.ts";
import type { FieldUses } from "./training-rows.ts";
import type { PlannedMode } from "./planned-mode.ts";
import type { DataOptions } from "./training-order.ts";

/** A graph in R2 under the job. */
export interface StoredGraph {
  name: string;
  /** Names the session that ranks of one isolate share. */
  sha256: string;
  bytes: number;
  inputs: string[];
  outputs: string[];
}

export interface TrainingPlan {
  workspace: string;
  worldSize: number;
  mode: PlannedMode;
  training: TrainingOptions;
  /** Ranks may compute gradients themselves, and have runners do it where there are some. */
  onEdge: boolean;
  onRunners: boolean;
  layout: Layout;
  step: StoredGraph;
  evaluate: StoredGraph;
  /** What feeds each batch input of the graphs. */
  fields: FieldUses;
  dataset: string;
  data: DataOptions;
  /** Labels that are checked as they are read, since they were too many to be looked through before. */
  labels?: LabelRange | undefined;
  batches: BatchPlan;
  /** Steps of the optimizer, on each rank. */
  steps: number;
  stepsPerEpoch: number;
  /** Epochs between two measurements: more than one where there are very many. */
  epochsPerMeasurement: number;
  /** Steps between two checkpoints of a rank in its own storage, and in R2 (0: only at the end). */
  localCheckpointEvery: number;
  checkpointEvery: number;
  checkpointsKept: number;
}

/** What a rank's task asks of its runner. */
export function runnersNeeded({ step, onEdge }: TrainingPlan, job: string) {
  return {
    kind: "gradient" as const,
    group: job,
    needs: { model_bytes: step.bytes },
    patient: onEdge,
  };
}

/** Steps between two measurements, counted from 1; `last` is the step after which ranks measure. */
export interface EpochSpan {
  epoch: number;
  first: number;
  last: number;
}

/** The `index`th measurement of the training; `undefined` after the last. */
export function epochSpan(plan: TrainingPlan, index: number): EpochSpan | undefined {
  const width = plan.stepsPerEpoch * plan.epochsPerMeasurement;
  const first = index * width + 1;
  if (first > plan.steps) return undefined;
  const last = Math.min((index + 1) * width, plan.steps);
  return { epoch: Math.ceil(last / plan.stepsPerEpoch), first, last };
}

/** Whether ranks measure after so many finished steps. */
export function endsEpoch(plan: TrainingPlan, step: number): boolean {
  return step === plan.steps || step % (plan.stepsPerEpoch * plan.epochsPerMeasurement) === 0;
}
