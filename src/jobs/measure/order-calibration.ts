/** @file Ordering a calibration: model, rows and method are held against each other before anything runs. */
import { type CalibrationOptions, calibrationSettings } from "../../calibrate/settings.ts";
import { readModel } from "../../onnx/read-model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { selectStaticNodes } from "../../quantize/static/options.ts";
import { newId } from "../../store/id.ts";
import { openModel } from "../../store/models.ts";
import { calibrationOptions, oneByOne, labelOf } from "../calibrate/prepare.ts";
import { DEFAULT_ROWS } from "../calibrate/wanted.ts";
import type { JobView } from "../job-view.ts";
import { datasetFeeds, type FeedsWanted } from "./dataset-feeds.ts";
import { enterMeasurement, modelSource, type Place } from "./order-measurement.ts";
import { optionError } from "../../problem/option-error.ts";

export interface CalibrationRequest extends Place, CalibrationOptions {
  dataset?: string | undefined;
  inputs?: FeedsWanted["inputs"];
  limit?: number | undefined;
  op_types_to_quantize?: string[] | undefined;
}

/** @throws ApiError, DatasetError and UnknownNameError saying what does not fit, or is not there */
export async function orderCalibration(
  env: Env,
  workspace: string,
  modelId: string,
  request: CalibrationRequest,
  id = newId("job"),
): Promise<JobView> {
  const source = await modelSource(env, workspace, modelId);
  const input = await openModel(env, workspace, modelId);
  if (!input) throw new ApiError("not_found", `there is no model ${modelId}`);
  const model = await readModel(input.source);
  const { dataset, inputs, limit = DEFAULT_ROWS, executor, backend } = request;
  const { op_types_to_quantize } = request;
  try {
    calibrationSettings(request);
    selectStaticNodes(model, { op_types_to_quantize });
  } catch (error) {
    throw optionError(error) ?? error;
  }
  const feeds =
    dataset === undefined
      ? undefined
      : oneByOne(await datasetFeeds(env, workspace, model, { dataset, inputs, limit }));
  return await enterMeasurement(env, {
    id,
    workspace,
    kind: "calibrate",
    modelId,
    executor,
    backend,
    options: { ...request },
    task: {
      spec: {
        ...calibrationOptions({ ...request }),
        ...(feeds ? { data: feeds.rows, label: labelOf(feeds.rows, dataset) } : {}),
      },
      needs: { model_bytes: source.bytes },
      sources: { model: source, ...feeds?.sources },
    },
    inputs: dataset === undefined ? [] : [dataset],
  });
}
