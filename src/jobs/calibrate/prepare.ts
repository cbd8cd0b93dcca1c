/** @file Before a compression has its turn: the rows that it calibrates on are found, or its ranges, by a runner. */
import type { Calibration } from "../../calibrate/calibrate.ts";
import type { CalibrationInputs } from "../../calibrate/inputs.ts";
import type { CompressRequest, ModelInput } from "../../compress/types.ts";
import { opsetVersion } from "../../graph/build.ts";
import type { Model } from "../../onnx/model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { staticOpset } from "../../quantize/static.ts";
import { selectStaticNodes } from "../../quantize/static/options.ts";
import type { CalibrateSpec } from "../../runner/tasks/calibrate.ts";
import { inspectModel } from "../inspect-model.ts";
import { type DatasetFeeds, datasetFeeds } from "../measure/dataset-feeds.ts";
import { edgeKit, edgeTask } from "../measure/on-edge.ts";
import type { SourceOrder, TaskOrder } from "../runners/task-order.ts";
import { rangesFromRunner, type RunnerHooks } from "./on-runner.ts";
import { type CalibrationWanted, calibrationWanted } from "./wanted.ts";
import { optionError } from "../../problem/option-error.ts";

/** What `compress` is given for it; nothing where it needs nothing. */
export interface PreparedCalibration {
  calibrationInputs?: CalibrationInputs;
  calibration?: Calibration;
}

export interface CalibrationSources {
  /** Names the runner's task. */
  id: string;
  input: ModelInput;
  /** The model as one object in R2, and an .npz of samples as another; asked for when a runner is to read them. */
  onRunner: () => Promise<{ model: SourceOrder; samples?: SourceOrder }>;
}

/**
 * @throws ApiError `no_executor` where a runner is needed and there is none, `not_found` for a dataset that is not there
 * @throws DatasetError where its fields do not fit the model
 */
export async function prepareCalibration(
  env: Env,
  workspace: string,
  request: CompressRequest,
  sources: CalibrationSources,
  hooks: RunnerHooks,
): Promise<PreparedCalibration> {
  try {
    const wanted = calibrationWanted(request);
    if (!wanted) return {};
    const elsewhere = await isElsewhere(wanted, sources.input);
    if (!elsewhere && wanted.dataset === undefined) return {};
    const { model } = await inspectModel(sources.input);
    const feeds = await feedsOf(env, workspace, model, wanted);
    const rows = feeds ? { calibrationInputs: await rowsHere(env, sources.id, wanted, feeds) } : {};
    if (!elsewhere) return rows;
    const task = await taskOf(model, request, wanted, feeds, sources);
    return { ...rows, calibration: await rangesFromRunner(env, workspace, task, wanted, hooks) };
  } catch (error) {
    throw optionError(error) ?? error;
  }
}

async function isElsewhere(
  { method, executor }: CalibrationWanted,
  { source }: ModelInput,
): Promise<boolean> {
  if (method !== "static" || executor === "edge") return false;
  if (executor === "runner") return true;
  const { edgeRuntime } = await import("../../runtime/edge.ts");
  return source.size > edgeRuntime().maxModelBytes;
}

async function feedsOf(
  env: Env,
  workspace: string,
  model: Model,
  { dataset, inputs, rows: limit }: CalibrationWanted,
): Promise<DatasetFeeds | undefined> {
  if (dataset === undefined) return undefined;
  return oneByOne(await datasetFeeds(env, workspace, model, { dataset, inputs, limit }));
}

/** One row is one sample, unless the model takes several at once. */
export function oneByOne(feeds: DatasetFeeds): DatasetFeeds {
  const { rows } = feeds;
  return { ...feeds, rows: { ...rows, batch: rows.pad ? rows.batch : 1 } };
}

export function labelOf({ rows }: DatasetFeeds["rows"], dataset = ""): string {
  return `${rows} rows of ${dataset}`;
}

async function taskOf(
  model: Model,
  { options }: CompressRequest,
  { dataset }: CalibrationWanted,
  feeds: DatasetFeeds | undefined,
  { id, onRunner }: CalibrationSources,
): Promise<TaskOrder> {
  // What is wrong with the names is said before anything is sent.
  selectStaticNodes(model, options);
  const { model: source, samples } = await onRunner();
  const needed = staticOpset(options);
  const spec: CalibrateSpec = {
    ...calibrationOptions(options),
    ...((opsetVersion(model) ?? 0) < needed ? { opset: needed } : {}),
    ...(feeds ? { data: feeds.rows, label: labelOf(feeds.rows, dataset) } : {}),
  };
  return {
    id: `${id}-calibrate`,
    kind: "calibrate",
    group: id,
    spec,
    needs: { model_bytes: source.bytes },
    sources: { model: source, ...feeds?.sources, ...(samples && !feeds ? { samples } : {}) },
    targets: {},
  };
}

const FORWARDED = [
  "calibrate_method",
  "percentile",
  "calibration_bins",
  "calibration_moving_average",
  "calibration_range_symmetric",
  "op_types_to_quantize",
] as const satisfies readonly (keyof CalibrateSpec)[];

/** Those options that the task's program reads. */
export function calibrationOptions(options: Readonly<Record<string, unknown>>): CalibrateSpec {
  return Object.fromEntries(
    FORWARDED.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}

/** The dataset's rows, read from R2 as they are asked for. */
async function rowsHere(
  env: Env,
  id: string,
  { dataset }: CalibrationWanted,
  { rows, sources }: DatasetFeeds,
): Promise<CalibrationInputs> {
  const { rowInputs } = await import("../../runner/tasks/calibrate.ts");
  const order = {
    id,
    kind: "calibrate",
    group: id,
    spec: {},
    needs: {},
    sources,
    targets: {},
  } as const;
  const kit = edgeKit(env, { signal: new AbortController().signal, onProgress: () => undefined });
  return rowInputs(edgeTask(order), rows, labelOf(rows, dataset), kit);
}

/** Something of a model that a runner cannot read. */
export function externalDataNotRun(): ApiError {
  return new ApiError(
    "external_data_not_run",
    "the model has external data, which runners do not take",
  );
}
