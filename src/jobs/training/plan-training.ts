/** @file A training worked out before anything runs: graphs, layout, batches, memory; refused here when it cannot work. */
import { checkAllLabels, type LabelRange } from "../../data/check-labels.ts";
import { type DatasetDescription, rowBytes } from "../../data/dataset.ts";
import type { Model } from "../../onnx/model.ts";
import { readModel } from "../../onnx/read-model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { openModel } from "../../store/models.ts";
import type { BatchPlan } from "../../train/batches.ts";
import { memoryEstimate } from "../../train/memory.ts";
import { trainingSettings, type TrainingSettings } from "../../train/options.ts";
import { continued, rowPlace, type RowSchedule, stepsOfEpochs } from "../../train/row-schedule.ts";
import { buildStep } from "../../train/step-model.ts";
import {
  CORRECT,
  LABEL,
  type RowType,
  type StepPlan,
  type TrainingData,
} from "../../train/step-plan.ts";
import { checking, mismatch } from "./mismatch.ts";
import { type PlannedMode, plannedMode } from "./planned-mode.ts";
import { checkMemory, fitsEdge } from "./rank-memory.ts";
import type { TrainingOrder } from "./training-order.ts";
import { type FieldUses, fieldUses, openTrainingRows, requireRows } from "./training-rows.ts";
import type { TrainingPlan } from "./training-plan.ts";

/** What is read at once, and what a rank holds of its rows to shuffle them. */
const BLOCK_BYTES = 1 << 20;
const WINDOW_BYTES = 8 << 20;
/** After so many measurements of the validation rows a training has seen enough of them. */
const MAX_MEASUREMENTS = 200;
/** A rank's own checkpoint comes about so often: a fault costs the steps since. */
const LOCAL_CHECKPOINT_STEPS = 20;
const CHECKPOINTS_KEPT = 20;

export interface PlannedTraining {
  step: StepPlan;
  /** All but the graphs' hashes, which are known once they are written. */
  plan: Omit<TrainingPlan, "step" | "evaluate">;
}

/**
 * @throws ApiError `not_found` for a model or dataset that the workspace has not; `training_mismatch` for what
 * does not fit together; `rank_too_small` with the bytes that a rank would need
 */
export async function planTraining(env: Env, order: TrainingOrder): Promise<PlannedTraining> {
  const settings = await checking(() => trainingSettings(order.training));
  const model = await storedModel(env, order.workspace, order.modelId);
  const { model: teacherId } = settings.teacher ?? {};
  const teacher =
    teacherId === undefined ? undefined : await storedModel(env, order.workspace, teacherId);
  const { workspace, datasetId, data } = order;
  const stored = await requireRows(env, workspace, datasetId);
  const fields = fieldUses(model, stored.description, data, settings, order.executor !== "edge");
  const rows = await checking(
    async () =>
      await openTrainingRows(env, {
        workspace,
        dataset: datasetId,
        data,
        fields,
        seed: settings.seed,
      }),
  );
  const dataset = rows.train.description;
  const batchFields = trainingData(dataset, fields);
  if (rows.validation) checkSame(rows.validation.description, batchFields, fields);
  const batches = checkedBatches(order, settings, dataset, fields);
  const schedule = await checking(() => scheduled(order, batches));
  const step = await checking(
    async () =>
      await buildStep(model, settings, batchFields, {
        teacher,
        // What stays on a WebGPU device runs anywhere.
        target: order.executor === "edge" ? "wasm" : "webgpu",
      }),
  );
  const isClassification = step.evaluate.graph.outputs.some(({ name }) => name === CORRECT);
  if (order.metrics?.includes("accuracy") && !isClassification) {
    throw mismatch(`metrics: the loss is no classification, so there is no accuracy`);
  }
  const labels = await uncheckedLabels(env, order, step, fields, settings.loss.ignoreIndex);
  const estimate = await memoryEstimate(step, settings.batchSize);
  const question = {
    estimate,
    settings,
    mode: order.mode,
    isCoded: order.executor !== "edge" && order.runnerCodec !== "none",
    batches,
    rowBytes: usedBytes(dataset, fields),
  };
  checkMemory(question, order.executor);
  const steps = settings.steps ?? stepsOfEpochs(schedule, settings.epochs ?? 1);
  const stepsBefore = order.origin?.whole ? order.origin.step : 0;
  const epochs = rowPlace(schedule, steps - 1).epoch + 1 - rowPlace(schedule, stepsBefore).epoch;
  const mode = plannedMode(order.mode, step.layout, settings);
  return {
    step,
    plan: {
      workspace: order.workspace,
      worldSize: order.mode.world_size,
      mode,
      training: order.training,
      onEdge: order.executor !== "runner" && fitsEdge(question),
      onRunners: order.executor !== "edge",
      runnerCodec: order.runnerCodec,
      layout: step.layout,
      fields,
      dataset: order.datasetId,
      data: order.data,
      labels,
      ...schedule,
      steps,
      stepsBefore,
      epochsPerMeasurement: Math.max(1, Math.ceil(epochs / MAX_MEASUREMENTS)),
      ...checkpointing(mode, order.checkpointEvery, steps),
      checkpointsKept: CHECKPOINTS_KEPT,
    },
  };
}

/** A training that goes on reads the rest of the epoch that its checkpoint lies in. */
function scheduled({ origin }: TrainingOrder, batches: BatchPlan): RowSchedule {
  if (!origin?.whole) return { batches };
  const { schedule = { batches }, step, sameRows = true } = origin;
  return continued(schedule, step, batches, sameRows);
}

/** In `async`, checkpoints can be taken only where the ranks' own are; in `local_sgd`, best where the ranks agree. */
function checkpointing(
  { mode, local_steps }: PlannedMode,
  wanted: number | undefined,
  steps: number,
) {
  const isShort = local_steps <= 2 * LOCAL_CHECKPOINT_STEPS;
  const local =
    mode === "local_sgd" && isShort
      ? local_steps * Math.max(1, Math.round(LOCAL_CHECKPOINT_STEPS / local_steps))
      : Math.min(LOCAL_CHECKPOINT_STEPS, wanted ?? steps);
  const aligned = mode === "async" || (mode === "local_sgd" && isShort);
  const checkpointEvery = Math.ceil((wanted ?? 0) / (aligned ? local : 1)) * (aligned ? local : 1);
  return { localCheckpointEvery: local, checkpointEvery };
}

function checkedBatches(
  order: TrainingOrder,
  settings: TrainingSettings,
  dataset: DatasetDescription,
  fields: FieldUses,
): BatchPlan {
  const bytes = usedBytes(dataset, fields);
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(bytes, 1)));
  const plan: BatchPlan = {
    rows: dataset.rows,
    worldSize: order.mode.world_size,
    batchSize: settings.batchSize,
    accumulation: settings.accumulationSteps,
    blockRows,
    windowBlocks: Math.max(1, Math.floor(WINDOW_BYTES / (blockRows * Math.max(bytes, 1)))),
    seed: settings.seed,
    dropLast: false,
    shuffle: order.data.shuffle,
  };
  if (dataset.rows >= plan.worldSize) return plan;
  throw mismatch(
    `world_size: ${dataset.rows} rows to train on leave nothing for some of ${plan.worldSize} ranks`,
  );
}

/** Of one row, of the fields that are read. */
function usedBytes(dataset: DatasetDescription, fields: FieldUses): number {
  const used = new Set(Object.values(fields).map(({ field }) => field));
  return dataset.fields
    .filter(({ name }) => used.has(name))
    .reduce((sum, field) => sum + rowBytes(field), 0);
}

async function storedModel(env: Env, workspace: string, id: string): Promise<Model> {
  const input = await openModel(env, workspace, id);
  if (!input) throw new ApiError("not_found", `there is no model ${id}`);
  return await readModel(input.source, { external: input.external });
}

/**
 * Looks through the labels of all datasets, where they are classes and not too many.
 * @returns what the rest is checked against as it is read
 * @throws DatasetError `dataset_mismatch`
 */
async function uncheckedLabels(
  env: Env,
  { workspace, datasetId, data: { validation } }: TrainingOrder,
  { classes }: StepPlan,
  fields: FieldUses,
  ignoreIndex: number,
): Promise<LabelRange | undefined> {
  const name = fields[LABEL]?.field;
  if (classes === undefined || name === undefined) return undefined;
  const range = { classes, ignoreIndex };
  const other = validation && "dataset" in validation ? [validation.dataset] : [];
  let areChecked = true;
  for (const id of [datasetId, ...other]) {
    const rows = await requireRows(env, workspace, id);
    areChecked &&= await checkAllLabels(rows, name, range, id);
  }
  return areChecked ? undefined : range;
}

/** Element types and shapes, as the step's builder takes them. */
function trainingData(dataset: DatasetDescription, uses: FieldUses): TrainingData {
  const fields: Record<string, RowType> = {};
  for (const [input, { field: name }] of Object.entries(uses)) {
    const field = dataset.fields.find((each) => each.name === name);
    if (field) fields[input] = { dtype: field.dtype, shape: field.shape };
  }
  return { fields };
}

/** The rows to measure on feed the same graph. */
function checkSame(dataset: DatasetDescription, { fields }: TrainingData, uses: FieldUses): void {
  const others = trainingData(dataset, uses).fields;
  for (const [input, { field: name }] of Object.entries(uses)) {
    const [wanted, have] = [fields[input], others[input]];
    if (JSON.stringify(wanted) === JSON.stringify(have)) continue;
    const text = (row: RowType | undefined) =>
      row ? `${row.dtype} [${row.shape.join(", ")}]` : "not there";
    throw mismatch(
      `validation: field "${name}" is ${text(have)} there, and ${text(wanted)} in the dataset to train on`,
    );
  }
}
