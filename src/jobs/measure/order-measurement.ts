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

/** Where a measurement is done. */
export interface Place {
  executor: ExecutorChoice;
  backend?: Backend | undefined;
}

export interface MeasurementRequest extends Place {
  kind: Exclude<MeasurementKind, "evaluate" | "calibrate">;
  modelId: string;
  /** The model to compare with, where the kind has one. */
  originalId?: string | undefined;
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
  const { originalId, spec, ...common } = request;
  const result = await modelSource(env, workspace, request.modelId);
  const original =
    originalId === undefined ? undefined : await modelSource(env, workspace, originalId);
  return await enterMeasurement(env, {
    ...common,
    id,
    workspace,
    task: {
      spec,
      needs: { model_bytes: Math.max(result.bytes, original?.bytes ?? 0) },
      sources: { result, ...(original ? { original } : {}) },
    },
    inputs: originalId === undefined ? [] : [originalId],
  });
}

export interface NewMeasurement extends Omit<MeasurementOrder, "executor">, Place {
  /** Models and datasets that it reads beside its model. */
  inputs: readonly string[];
}

/** @throws ApiError when the model was deleted meanwhile */
export async function enterMeasurement(
  env: Env,
  { backend, inputs, task, ...measurement }: NewMeasurement,
): Promise<JobView> {
  const { spec, needs } = task;
  const order: MeasurementOrder = {
    ...measurement,
    task: {
      ...task,
      spec: { ...spec, ...(backend ? { backend } : {}) },
      needs: { ...needs, ...(backend ? { backends: [backend] } : {}) },
    },
  };
  const entered = await enterJob(env, order.workspace, newMeasurementView(order), order, inputs);
  if (!entered) throw new ApiError("not_found", `there is no model ${order.modelId}`);
  return entered;
}

/** @throws ApiError for a model that is not there, or is not one file */
export async function modelSource(env: Env, workspace: string, id: string): Promise<SourceOrder> {
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
