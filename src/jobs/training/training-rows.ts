/** @file The rows of a training: which fields feed the step, scaled where asked, in two parts where some are measured on. */
import type { DatasetDescription } from "../../data/dataset.ts";
import { checkAlike, mapFields } from "../../data/mapping.ts";
import type { RowSource } from "../../data/rows.ts";
import { ScaledRows } from "../../data/scaled-rows.ts";
import { splitRows } from "../../data/split.ts";
import type { Model } from "../../onnx/model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { openDataset } from "../../store/datasets.ts";
import type { TrainingSettings } from "../../train/options.ts";
import { LABEL, TEACHER } from "../../train/step-plan.ts";
import type { DataOptions } from "./training-order.ts";

/** The field behind an input of the step, and the factor that its numbers are multiplied with. */
export interface FieldUse {
  field: string;
  scale: number;
}

/** By the step's inputs. */
export type FieldUses = Record<string, FieldUse>;

export interface TrainingRows {
  train: RowSource;
  validation: RowSource | undefined;
}

export interface RowsWanted {
  workspace: string;
  dataset: string;
  data: DataOptions;
  fields: FieldUses;
  seed: number;
}

/** @throws ApiError `not_found` for a dataset that the workspace has not */
export async function openTrainingRows(env: Env, wanted: RowsWanted): Promise<TrainingRows> {
  const { workspace, dataset, data, fields, seed } = wanted;
  const rows = scaled(await requireRows(env, workspace, dataset), fields);
  const { validation } = data;
  if (!validation) return { train: rows, validation: undefined };
  if ("fraction" in validation) return splitRows(rows, validation.fraction, seed);
  const other = scaled(await requireRows(env, workspace, validation.dataset), fields);
  const used = Object.values(fields).map(({ field }) => field);
  checkAlike(rows.description, other.description, used);
  return { train: rows, validation: other };
}

function scaled(rows: RowSource, fields: FieldUses): RowSource {
  const scales = new Map(Object.values(fields).map(({ field, scale }) => [field, scale]));
  return [...scales.values()].some((scale) => scale !== 1) ? new ScaledRows(rows, scales) : rows;
}

export async function requireRows(env: Env, workspace: string, id: string): Promise<RowSource> {
  const rows = await openDataset(env, workspace, id);
  if (!rows) throw new ApiError("not_found", `there is no dataset ${id}`);
  return rows;
}

/**
 * The fields that feed the step: the model's inputs, the label, a teacher's outputs.
 * @throws DatasetError `dataset_mismatch`
 */
export function fieldUses(
  model: Model,
  dataset: DatasetDescription,
  data: DataOptions,
  { loss, teacher }: TrainingSettings,
): FieldUses {
  const { graph } = model;
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const taught = data.teacher;
  const { inputs: mapped, label } = mapFields(
    { fields: dataset.fields.filter(({ name }) => name !== taught) },
    inputs,
    {
      inputs: data.inputs,
      label: data.label,
      // Distillation alone needs no label.
      labelled: loss.type !== "output" && !(teacher?.alpha === 1 && data.label === undefined),
    },
  );
  const uses: FieldUses = {};
  for (const { input, field, scale } of mapped) uses[input] = { field: field.name, scale };
  if (label) uses[LABEL] = { field: label.name, scale: 1 };
  if (taught !== undefined) uses[TEACHER] = { field: taught, scale: 1 };
  return uses;
}
