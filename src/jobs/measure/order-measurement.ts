/** @file Ordering a measurement: the models that it needs are found, and what it asks of its executor is said. */
import { ApiError } from "../../problem/api-error.ts";
import type { Backend } from "../../runner/protocol.ts";
import { newId } from "../../store/id.ts";
import { findFile, findModel } from "../../store/models.ts";
import type { JobView } from "../job-view.ts";
import { enterJob } from "../jobs.ts";
import type { SourceOrder } from "../runners/task-order.ts";
import {
  type ExecutorChoice,
  type MeasurementKind,
  type MeasurementOrder,
  newMeasurementView,
} from "./measurement.ts";

export interface MeasurementRequest {
  kind: MeasurementKind;
  modelId: string;
  /** The model to compare with, where the kind has one. */
  originalId?: string | undefined;
  executor: ExecutorChoice;
  backend?: Backend | undefined;
  /** What the kind's program reads. */
  spec: Record<string, unknown>;
  options: Record<string, unknown>;
}

/** @throws ApiError for models that are not there, or that are not one file */
export async function orderMeasurement(
  env: Env,
  workspace: string,
  request: MeasurementRequest,
  id = newId("job"),
): Promise<JobView> {
  const { kind, modelId, originalId, executor, backend, spec, options } = request;
  const result = await source(env, workspace, modelId);
  const original = originalId === undefined ? undefined : await source(env, workspace, originalId);
  const order: MeasurementOrder = {
    id,
    workspace,
    modelId,
    kind,
    executor,
    options,
    task: {
      spec: { ...spec, ...(backend ? { backend } : {}) },
      needs: {
        model_bytes: Math.max(result.bytes, original?.bytes ?? 0),
        ...(backend ? { backends: [backend] } : {}),
      },
      sources: { result, ...(original ? { original } : {}) },
    },
  };
  const view = newMeasurementView(order);
  const entered = await enterJob(env, workspace, view, order, originalId ? [originalId] : []);
  if (!entered) throw new ApiError("not_found", `there is no model ${modelId}`);
  return entered;
}

async function source(env: Env, workspace: string, id: string): Promise<SourceOrder> {
  const model = await findModel(env.DB, workspace, id);
  const file = model && (await findFile(env.DB, workspace, id, ""));
  if (!file) throw new ApiError("not_found", `there is no model ${id}`);
  if (model.files.length > 1) {
    throw new ApiError(
      "external_data_not_run",
      `${id} has external data, which runners do not take`,
    );
  }
  const { key, bytes, sha256 } = file;
  return { key, bytes, sha256 };
}
