/** @file Ordering an evaluation: model, rows and metrics are held against each other before anything runs. */
import type { DatasetField } from "../../data/dataset.ts";
import { endsInProbabilities } from "../../evaluate/final-activation.ts";
import { Judge } from "../../evaluate/judge.ts";
import type { Metric, MetricOptions } from "../../evaluate/metric.ts";
import { inferTypes } from "../../graph/infer.ts";
import { Scope } from "../../graph/scope.ts";
import { requireKnown } from "../../graph/selection.ts";
import { DataType, elementCount, rawByteLength } from "../../onnx/data-type.ts";
import type { Model } from "../../onnx/model.ts";
import { readModel } from "../../onnx/read-model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { LABEL } from "../../runner/tasks/evaluate.ts";
import { newId } from "../../store/id.ts";
import { openModel } from "../../store/models.ts";
import type { JobView } from "../job-view.ts";
import type { MeasurementOrder } from "./measurement.ts";
import { datasetFeeds, type FeedsWanted } from "./dataset-feeds.ts";
import { enterMeasurement, modelSource, type Place } from "./order-measurement.ts";

export interface EvaluationRequest extends Place, MetricOptions {
  dataset: string;
  inputs?: FeedsWanted["inputs"];
  label?: string | undefined;
  output?: string | undefined;
  metrics?: Metric[] | undefined;
  batch_size?: number | undefined;
  split?: { fraction: number; seed: number } | undefined;
  limit?: number | undefined;
}

/** A runner may take so long; the Worker ends sooner, by its own limits. */
const TIMEOUT_MS = 60 * 60_000;
/** Outputs of more elements a row are not tried with the metrics before they are there. */
const MAX_TRIED = 1 << 22;

/** @throws ApiError and DatasetError saying what does not fit, or is not there */
export async function orderEvaluation(
  env: Env,
  workspace: string,
  modelId: string,
  request: EvaluationRequest,
  id = newId("job"),
): Promise<JobView> {
  const task = await planEvaluation(env, workspace, modelId, request);
  const { dataset, executor, backend } = request;
  return await enterMeasurement(env, {
    id,
    workspace,
    kind: "evaluate",
    modelId,
    executor,
    backend,
    options: { ...request },
    task,
    inputs: [dataset],
  });
}

/** What the task reads. @throws ApiError and DatasetError saying what does not fit, or is not there */
export async function planEvaluation(
  env: Env,
  workspace: string,
  modelId: string,
  request: EvaluationRequest,
): Promise<MeasurementOrder["task"]> {
  const source = await modelSource(env, workspace, modelId);
  const input = await openModel(env, workspace, modelId);
  if (!input) throw new ApiError("not_found", `there is no model ${modelId}`);
  const model = await readModel(input.source);
  const { rows, sources, label } = await datasetFeeds(env, workspace, model, {
    dataset: request.dataset,
    inputs: request.inputs,
    label: request.label,
    labelled: LABEL,
    batchSize: request.batch_size,
    split: request.split,
    limit: request.limit,
  });
  if (!label) throw new ApiError("dataset_mismatch", "the dataset has no label");
  const output = outputOf(model, request.output);
  const metrics = request.metrics ?? metricsFor(label);
  const { class_axis, ignore_index, delta } = request;
  const from_logits = request.from_logits ?? !endsInProbabilities(model, output);
  const options = { from_logits, class_axis, ignore_index, delta };
  await tryMetrics(model, output, label, metrics, options);
  return {
    spec: { ...rows, output, metrics, ...options },
    needs: { model_bytes: source.bytes },
    sources: { model: source, ...sources },
    timeoutMs: TIMEOUT_MS,
  };
}

function outputOf({ graph }: Model, wanted: string | undefined): string {
  const names = graph.outputs.map(({ name }) => name);
  if (wanted !== undefined) requireKnown("output", [wanted], new Set(names));
  const output = wanted ?? names[0];
  if (output === undefined) throw new ApiError("dataset_mismatch", "the model has no outputs");
  return output;
}

/** Whole numbers are taken for classes. */
function metricsFor({ dtype }: DatasetField): Metric[] {
  return dtype.includes("float") ? ["mse", "l1"] : ["accuracy"];
}

/** Holds the metrics against one row of zeros, where the output's shape is known. */
async function tryMetrics(
  model: Model,
  output: string,
  label: DatasetField,
  metrics: readonly Metric[],
  options: MetricOptions,
): Promise<void> {
  const inferred = await inferTypes(model);
  const sizes = inferred.shape(Scope.of(model.graph), output)?.slice(1);
  if (!sizes?.every((size) => typeof size === "number")) return;
  if (elementCount(sizes) > MAX_TRIED) return;
  const zeros = (dataType: DataType, shape: readonly number[]) => {
    const dims = [1, ...shape];
    return { dataType, dims, bytes: new Uint8Array(rawByteLength(dataType, elementCount(dims))) };
  };
  try {
    new Judge(metrics, options).add(
      zeros(DataType.float32, sizes),
      zeros(DataType[label.dtype], label.shape),
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ApiError(
      "dataset_mismatch",
      error.message.replace(/^(evaluate|train): /, "metrics: "),
    );
  }
}
