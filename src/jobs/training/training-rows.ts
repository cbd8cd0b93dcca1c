/** @file The rows of a training: which fields feed the step, scaled where asked, in two parts where some are measured on. */
import type { DatasetDescription } from "../../data/dataset.ts";
import { checkAlike, mapFields } from "../../data/mapping.ts";
import { NarrowRows } from "../../data/narrow-rows.ts";
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
  /** Integers are fed as int32. */
  narrow?: boolean;
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
  const rows = asFed(await requireRows(env, workspace, dataset), fields);
  const { validation } = data;
  if (!validation) return { train: rows, validation: undefined };
  if ("fraction" in validation) return splitRows(rows, validation.fraction, seed);
  const other = asFed(await requireRows(env, workspace, validation.dataset), fields);
  const used = Object.values(fields).map(({ field }) => field);
  checkAlike(rows.description, other.description, used);
  return { train: rows, validation: other };
}

function asFed(rows: RowSource, fields: FieldUses): RowSource {
  const uses = Object.values(fields);
  const scales = new Map(uses.map(({ field, scale }) => [field, scale]));
  const isScaled = uses.some(({ scale }) => scale !== 1);
  const scaled = isScaled ? new ScaledRows(rows, scales) : rows;
  const narrow = new Set(uses.flatMap(({ field, narrow: is }) => (is ? [field] : [])));
  return narrow.size > 0 ? new NarrowRows(scaled, narrow) : scaled;
}

export async function requireRows(env: Env, workspace: string, id: string): Promise<RowSource> {
  const rows = await openDataset(env, workspace, id);
  if (!rows) throw new ApiError("not_found", `there is no dataset ${id}`);
  return rows;
}

/**
 * The fields that feed the step: the model's inputs, the label, a teacher's outputs.
 * @param narrowLabel the step may run on WebGPU, which would leave labels of int64 to the CPU
 * @throws DatasetError `dataset_mismatch`
 */
export function fieldUses(
  model: Model,
  dataset: DatasetDescription,
  data: DataOptions,
  { loss, teacher }: TrainingSettings,
  narrowLabel: boolean,
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
  if (label) uses[LABEL] = { field: label.name, scale: 1, narrow: narrowLabel };
  if (taught !== undefined) uses[TEACHER] = { field: taught, scale: 1 };
  return uses;
}
