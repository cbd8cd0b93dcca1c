/** @file A measurement of a model: what it is ordered with, and what the API shows of it. */
import type { TaskKind } from "../../runner/protocol.ts";
import { type AnyJobView, queued } from "../job-view.ts";
import type { TaskOrder } from "../runners/task-order.ts";

export const MEASUREMENTS = [
  "benchmark",
  "verify",
  "evaluate",
  "calibrate",
] as const satisfies readonly TaskKind[];
export type MeasurementKind = (typeof MEASUREMENTS)[number];

export function isMeasurement(view: { operation: string }): view is MeasurementView {
  return MEASUREMENTS.some((kind) => kind === view.operation);
}

/** `auto`: on a runner that has what it takes, else in the Worker. */
export const EXECUTORS = ["auto", "edge", "runner"] as const;
export type ExecutorChoice = (typeof EXECUTORS)[number];

export interface MeasurementOrder {
  id: string;
  workspace: string;
  modelId: string;
  kind: MeasurementKind;
  executor: ExecutorChoice;
  /** As they were asked for. */
  options: Record<string, unknown>;
  task: Pick<TaskOrder, "spec" | "needs" | "sources" | "timeoutMs">;
}

export interface MeasurementView extends AnyJobView {
  operation: MeasurementKind;
  /** Where it is done, or was: `edge`, or a runner's id. */
  executor: string | null;
  result: Record<string, unknown> | null;
}

export function newMeasurementView(order: MeasurementOrder): MeasurementView {
  return {
    ...queued(order.id, order.modelId, order.options),
    operation: order.kind,
    progress: { fraction: 0, doing: "waiting" },
    executor: null,
    result: null,
  };
}

export function taskOrder({ id, kind, task }: MeasurementOrder): TaskOrder {
  return { id, kind, group: id, targets: {}, ...task };
}
