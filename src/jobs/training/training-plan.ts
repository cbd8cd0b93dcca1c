/** @file What a job works out once and its ranks read: plain data, in R2 under the job. */
import type { LabelRange } from "../../data/check-labels.ts";
import type { BatchPlan } from "../../train/batches.ts";
import { rowPlace, type ScheduleStart, stepsOfEpochs } from "../../train/row-schedule.ts";
import type { Layout } from "../../train/layout.ts";
import type { LineCodec } from "../../runner/vector-encoding.ts";
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
  runnerCodec: LineCodec;
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
  /** Where the batches begin, in a training that goes on from another's checkpoint. */
  start?: ScheduleStart | undefined;
  /** Steps of the optimizer, on each rank. */
  steps: number;
  /** Of them, those that the job which this one goes on from has done. */
  stepsBefore?: number;
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

type Epochs = Pick<
  TrainingPlan,
  "batches" | "start" | "steps" | "stepsBefore" | "epochsPerMeasurement"
>;

/** The `index`th measurement of the job; `undefined` after the last. */
export function epochSpan(plan: Epochs, index: number): EpochSpan | undefined {
  const { steps, stepsBefore = 0, epochsPerMeasurement: width } = plan;
  const behind = Math.floor(rowPlace(plan, stepsBefore).epoch / width) * width;
  const end = (measurement: number): number =>
    Math.min(stepsOfEpochs(plan, behind + (measurement + 1) * width), steps);
  const first = (index === 0 ? stepsBefore : end(index - 1)) + 1;
  const last = end(index);
  return first > steps ? undefined : { epoch: epochOf(plan, last), first, last };
}

/** Whether ranks measure after so many finished steps. */
export function endsEpoch(plan: Epochs, step: number): boolean {
  const epoch = epochOf(plan, step);
  const isWhole = step === stepsOfEpochs(plan, epoch);
  return step === plan.steps || (isWhole && epoch % plan.epochsPerMeasurement === 0);
}

/** The epoch, from 1, that the last of so many steps is in. */
export function epochOf(plan: Epochs, step: number): number {
  return rowPlace(plan, step - 1).epoch + 1;
}
