/** @file A stored dataset as what a task reads: which object feeds which input, in which type and shape, batch by batch. */
import type { z } from "zod";
import { type DatasetField, rowBytes } from "../../data/dataset.ts";
import { type FieldChoice, mapFields } from "../../data/mapping.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Model, ValueInfo } from "../../onnx/model.ts";
import { ApiError } from "../../problem/api-error.ts";
import type { RowsSpec } from "../../runner/tasks/rows.ts";
import { findFields, type StoredDataset } from "../../store/datasets.ts";
import { sha256Hex } from "../../store/id.ts";
import type { SourceOrder } from "../runners/task-order.ts";

export interface FeedsWanted {
  dataset: string;
  /** Fields by the model's inputs, where their names do not say it. */
  inputs?: Readonly<Record<string, string | FieldChoice>> | undefined;
  label?: string | undefined;
  /** The feed of the label's field; absent where none is read. */
  labelled?: string | undefined;
  batchSize?: number | undefined;
  /** The rows that a training measures on whose `validation.fraction` and seed these are. */
  split?: { fraction: number; seed: number } | undefined;
  /** Only the first so many rows. */
  limit?: number | undefined;
}

export interface DatasetFeeds {
  rows: z.infer<typeof RowsSpec>;
  sources: Record<string, SourceOrder>;
  label: DatasetField | undefined;
}

const DEFAULT_BATCH = 32;
/** Of the rows of one batch, on whatever device. */
const MAX_BATCH_BYTES = 64 << 20;
const DEFAULT_BATCH_BYTES = 8 << 20;

/**
 * @throws ApiError `not_found` for a dataset that the workspace has not, `dataset_mismatch` for one that does not fit
 * @throws DatasetError where a field does not fit its input
 */
export async function datasetFeeds(
  env: Env,
  workspace: string,
  { graph }: Model,
  wanted: FeedsWanted,
): Promise<DatasetFeeds> {
  const found = await findFields(env, workspace, wanted.dataset);
  if (!found) throw new ApiError("not_found", `there is no dataset ${wanted.dataset}`);
  const { dataset, keys } = found;
  const fed = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const mapping = mapFields(dataset, fed, {
    inputs: wanted.inputs,
    label: wanted.label,
    labelled: wanted.labelled !== undefined,
  });
  const feeds: z.infer<typeof RowsSpec>["feeds"] = {};
  for (const { input, field, scale } of mapping.inputs) {
    feeds[input] = { ...feedOf(field), ...asInput(field, find(fed, input)), scale };
  }
  if (wanted.labelled !== undefined && mapping.label) {
    feeds[wanted.labelled] = feedOf(mapping.label);
  }
  const fields = [...mapping.inputs.map(({ field }) => field), ...asList(mapping.label)];
  const sources: Record<string, SourceOrder> = {};
  for (const field of fields) {
    const key = keys.get(field.name) ?? "";
    const bytes = rowBytes(field) * dataset.rows;
    sources[sourceName(field)] = { key, bytes, sha256: await sha256Hex(key) };
  }
  const bytes = fields.reduce((sum, field) => sum + rowBytes(field), 0);
  const declared = fed.map(declaredBatch).find((size) => size !== undefined);
  const batch = batchSize(wanted.batchSize, declared, bytes);
  const split = wanted.split && { of: dataset.rows, ...wanted.split };
  const rows = Math.min(rowsOf(dataset, wanted.split), wanted.limit ?? Infinity);
  const pad = declared !== undefined && declared > 1;
  return { rows: { feeds, rows, batch, pad, split }, sources, label: mapping.label };
}

const asList = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);
const sourceName = ({ name }: DatasetField): string => `field ${name}`;

function feedOf(field: DatasetField) {
  return { source: sourceName(field), data_type: DataType[field.dtype], shape: field.shape };
}

function find(inputs: readonly ValueInfo[], name: string): ValueInfo["type"] {
  return inputs.find((input) => input.name === name)?.type;
}

/** In the input's element type; in its shape where it has another one of as many elements. */
function asInput(field: DatasetField, type: ValueInfo["type"]) {
  if (type?.kind !== "tensor") return {};
  const sizes = type.shape?.slice(1) ?? field.shape;
  const given = sizes.filter((size) => typeof size === "number");
  const isOther = given.length === sizes.length && sizes.join() !== field.shape.join();
  return {
    shape: isOther ? given : field.shape,
    ...(type.elementType === DataType[field.dtype] ? {} : { as: type.elementType }),
  };
}

/** The first size of an input, where the model fixes it. */
function declaredBatch({ type }: ValueInfo): number | undefined {
  const first = type?.kind === "tensor" ? type.shape?.[0] : undefined;
  return typeof first === "number" ? first : undefined;
}

function batchSize(
  wanted: number | undefined,
  declared: number | undefined,
  bytes: number,
): number {
  if (declared !== undefined) {
    if (wanted === undefined || wanted === declared) return declared;
    throw new ApiError(
      "dataset_mismatch",
      `batch_size: the model takes ${declared} rows at once, ${wanted} are asked for`,
    );
  }
  const most = (limit: number) => Math.max(1, Math.floor(limit / Math.max(bytes, 1)));
  if (wanted === undefined) return Math.min(DEFAULT_BATCH, most(DEFAULT_BATCH_BYTES));
  if (wanted <= most(MAX_BATCH_BYTES)) return wanted;
  throw new ApiError(
    "dataset_mismatch",
    `batch_size: ${wanted} rows of ${bytes} bytes are too many, at most ${most(MAX_BATCH_BYTES)} are fed at once`,
  );
}

/** As many as `splitRows` puts into the part to measure on. */
function rowsOf({ rows }: StoredDataset, split: FeedsWanted["split"]): number {
  if (!split) return rows;
  const picked = Math.max(1, Math.round(rows * split.fraction));
  if (picked < rows) return picked;
  throw new ApiError(
    "dataset_mismatch",
    `split: ${split.fraction} of ${rows} rows leaves nothing to train on`,
  );
}
