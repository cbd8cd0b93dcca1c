/** @file Ranges that a runner finds, waited for. */
import type { z } from "zod";
import type { Calibration } from "../../calibrate/calibrate.ts";
import { ApiError } from "../../problem/api-error.ts";
import type { CalibrateResult } from "../../runner/results.ts";
import { runnerPool } from "../runners/pool.ts";
import type { TaskOrder, TaskOutcome } from "../runners/task-order.ts";
import type { CalibrationWanted } from "./wanted.ts";

export interface RunnerHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((fraction: number, doing: string) => void) | undefined;
  /** How long a runner is waited for that is not there yet, where one is asked for. */
  patienceMs: number;
}

/** One look at the task takes at most so long. */
const LOOK_MS = 1_000;

/**
 * Orders the task and waits for its end; it is canceled when the waiting is given up for good.
 * @throws ApiError `no_executor` where nobody takes it, `task_failed` with what the runner said
 */
export async function rangesFromRunner(
  env: Env,
  workspace: string,
  task: TaskOrder,
  { executor }: Pick<CalibrationWanted, "executor">,
  { signal, onProgress, patienceMs }: RunnerHooks,
): Promise<Calibration> {
  const pool = runnerPool(env, workspace);
  const bytes = task.needs.model_bytes ?? 0;
  const { edgeRuntime } = await import("../../runtime/edge.ts");
  const tooLarge = `static runs the model for the ranges of its activations; it is ${bytes} bytes, the Worker takes at most ${edgeRuntime().maxModelBytes}`;
  const nobody = new ApiError(
    "no_executor",
    `${executor === "runner" ? "static was asked to run the model on a runner" : tooLarge}, and no runner is connected that could do it`,
  );
  const canWait = executor === "runner" && patienceMs > 0;
  if (!canWait && !(await pool.canServe(task))) throw nobody;
  await pool.submit(task);
  const begun = Date.now();
  let outcome: TaskOutcome | undefined;
  try {
    while (!outcome) {
      signal?.throwIfAborted();
      outcome = await pool.wait(task.id, LOOK_MS);
      const progress = outcome ? undefined : await pool.progress(task.id);
      if (!progress) continue;
      const isWaiting = progress.state === "queued";
      onProgress?.(
        progress.fraction,
        isWaiting ? "waiting for a runner" : "calibrating on a runner",
      );
      if (!isWaiting || Date.now() - begun < patienceMs) continue;
      if (!(await pool.canServe(task))) throw nobody;
    }
  } catch (error) {
    // After a failure of ours the task goes on: who tries again waits for the same one.
    if (signal?.aborted || error === nobody) await pool.cancel(task.id);
    throw error;
  }
  if (outcome.state === "canceled")
    throw new ApiError("task_failed", "the calibration was canceled");
  if (outcome.state === "failed") throw new ApiError("task_failed", outcome.message);
  // The pool has held it against its schema.
  const found = outcome.result as z.infer<typeof CalibrateResult>;
  return {
    inputs: `${found.inputs}, on a runner`,
    isMadeUp: found.made_up,
    ranges: new Map(Object.entries(found.values)),
    unusable: new Map(Object.entries(found.unusable)),
  };
}
