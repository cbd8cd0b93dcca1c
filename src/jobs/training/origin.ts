/** @file Going on from another job's checkpoint: the request made whole from that job's, and what has to stay as it was. */
import { ApiError } from "../../problem/api-error.ts";
import type { TrainingRequestBody } from "../../routes/training-options.ts";
import { makeOptimizer } from "../../train/optimizer.ts";
import { type TrainingSettings, trainingSettings } from "../../train/options.ts";
import { findJob } from "../jobs.ts";
import { checking, mismatch } from "./mismatch.ts";
import { numericOptions, type WholeRequest } from "./training-request.ts";
import type { Origin, TrainingOrder } from "./training-order.ts";
import type { StoredCheckpoint } from "./training-record.ts";

/** Options that say which vector is trained: those of the job that a checkpoint is taken from stay. */
const SAME_VECTOR = {
  trainable: "trainable",
  frozen: "frozen",
  lora: "lora",
  qat: "qat",
  keep_sparsity: "keepSparsity",
  batch_normalization: "batchNormalization",
} as const satisfies Partial<Record<keyof TrainingRequestBody, keyof TrainingSettings>>;

/** Not the other job's: what a new one is asked for anew. */
const OWN = ["resume_from", "name", "executor"] as const;

type From = NonNullable<TrainingRequestBody["resume_from"]>;

/**
 * The other job's request, with what this one says in the place of it.
 * @throws ApiError `not_found` for a job or checkpoint that is not there; `training_mismatch` naming the option that
 *   cannot change, or the optimizer's state that the checkpoint lacks
 */
export async function continuedRequest(
  env: Env,
  workspace: string,
  body: TrainingRequestBody,
  from: From,
): Promise<{ request: WholeRequest; origin: Origin }> {
  const { order, checkpoint } = await checkpointOf(env, workspace, from);
  const before = order.shown as WholeRequest;
  const request: WholeRequest = { ...before };
  for (const name of OWN) delete request[name];
  // Either of the two says how long it takes.
  if (body.steps !== undefined) delete request.epochs;
  if (body.epochs !== undefined) delete request.steps;
  Object.assign(request, body);
  const [old, now] = await checking(() =>
    [before, request].map((each) => trainingSettings(numericOptions(each))),
  );
  if (!old || !now) throw new TypeError("training: no settings");
  const kept = (name: keyof TrainingRequestBody): ApiError =>
    mismatch(
      `resume_from: \`${name}\` is ${JSON.stringify(before[name]) ?? "not given"} in ${from.job} and has to stay so`,
    );
  if (request.model !== before.model) throw kept("model");
  for (const [name, setting] of Object.entries(SAME_VECTOR)) {
    if (JSON.stringify(old[setting]) === JSON.stringify(now[setting])) continue;
    throw kept(name as keyof typeof SAME_VECTOR);
  }
  const isSameMode = (request.mode ?? "sync") === order.mode.mode;
  const whole = isSameMode && now.optimizer.type === old.optimizer.type;
  if (whole) checkState(old, now, from.job);
  return {
    request,
    origin: {
      ...from,
      keys: checkpoint.keys,
      whole,
      schedule: order.schedule,
      sameRows: rowsOf(request) === rowsOf(before),
    },
  };
}

/** What an optimizer keeps from step to step depends on its options: SGD's momentum is not there without. */
function checkState(old: TrainingSettings, now: TrainingSettings, job: string): void {
  const kept = makeOptimizer(old.optimizer).slots;
  const missing = makeOptimizer(now.optimizer).slots.find((slot) => !kept.includes(slot));
  if (missing === undefined) return;
  throw mismatch(
    `resume_from: ${now.optimizer.type} as it is asked for here goes on from ${missing}, which ${job} did not keep: leave \`optimizer\` as it was there`,
  );
}

/** Equal for requests that train on the same rows of the same dataset. */
function rowsOf({ dataset, validation }: WholeRequest): string {
  return JSON.stringify([dataset, validation && "fraction" in validation && validation.fraction]);
}

/** What the object of a training job answers, of what is asked here. */
interface OriginObject {
  origin(step: number): Promise<{ order: TrainingOrder; checkpoint: StoredCheckpoint } | undefined>;
}

async function checkpointOf(
  env: Env,
  workspace: string,
  { job: id, step }: From,
): Promise<{ order: TrainingOrder; checkpoint: StoredCheckpoint }> {
  const job = await findJob(env, workspace, id);
  if (job?.operation !== "train") {
    throw new ApiError("not_found", `there is no training job ${id}`);
  }
  const object = env.TRAINING_JOBS.getByName(id) as unknown as OriginObject;
  const origin = await object.origin(step);
  if (!origin) throw new ApiError("not_found", `${id} has no checkpoint of step ${step}`);
  return origin;
}
