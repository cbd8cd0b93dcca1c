/** @file A training job from the outside: its request made whole, checked with model and data, and ordered. */
import { ApiError } from "../../problem/api-error.ts";
import type { TrainingRequestBody } from "../../routes/training-options.ts";
import { newId } from "../../store/id.ts";
import { findModel } from "../../store/models.ts";
import type { TrainingOptions } from "../../train/options.ts";
import type { JobView } from "../job-view.ts";
import { enterJob, findJob } from "../jobs.ts";
import { planTraining } from "./plan-training.ts";
import type { Origin, TrainingOrder } from "./training-order.ts";
import type { StoredCheckpoint } from "./training-record.ts";
import { newTrainingView } from "./training-view.ts";

/** A request with everything in it: that of another job under this one's. */
type WholeRequest = TrainingRequestBody & { model: string; dataset: string };

/** Options that say which vector is trained: those of the job that a checkpoint is taken from stay. */
const SAME_VECTOR = [
  "model",
  "trainable",
  "frozen",
  "lora",
  "qat",
  "keep_sparsity",
  "batch_normalization",
] as const;

/** Not the other job's: what a new one is asked for anew. */
const OWN = ["resume_from", "name", "executor"] as const;

/**
 * Checks the request with model, data and the memory of a rank, then enters the job.
 * @throws ApiError saying what does not fit
 */
export async function orderTraining(
  env: Env,
  workspace: string,
  body: TrainingRequestBody,
  id = newId("job"),
): Promise<JobView> {
  const { request, origin } = await wholeRequest(env, workspace, body);
  const model = await findModel(env.DB, workspace, request.model);
  if (!model) throw new ApiError("not_found", `there is no model ${request.model}`);
  const order = trainingOrder(id, workspace, request, origin, model.name);
  const { plan } = await planTraining(env, order);
  if (origin && origin.whole && origin.step >= plan.steps) {
    throw new ApiError(
      "training_mismatch",
      `resume_from: the checkpoint is of step ${origin.step}, this training ends with step ${plan.steps}: give more steps or epochs`,
    );
  }
  const { validation } = order.data;
  const inputs = [
    order.datasetId,
    ...(validation && "dataset" in validation ? [validation.dataset] : []),
    ...(order.training.teacher?.model === undefined ? [] : [order.training.teacher.model]),
  ];
  const job = await enterJob(env, workspace, newTrainingView(order), order, [...new Set(inputs)]);
  if (!job) throw new ApiError("not_found", `there is no model ${request.model}`);
  return job;
}

async function wholeRequest(
  env: Env,
  workspace: string,
  body: TrainingRequestBody,
): Promise<{ request: WholeRequest; origin: Origin | undefined }> {
  const { resume_from: from } = body;
  if (!from) {
    const { model, dataset } = body;
    const missing = [
      ...(model === undefined ? ["model"] : []),
      ...(dataset === undefined ? ["dataset"] : []),
    ];
    if (model !== undefined && dataset !== undefined) {
      return { request: { ...body, model, dataset }, origin: undefined };
    }
    throw new ApiError("invalid_request", `body: ${missing.join(" and ")} is missing`, {
      errors: missing.map((path) => ({ path, message: "is needed" })),
    });
  }
  const { order, checkpoint } = await checkpointOf(env, workspace, from);
  const before = order.shown as WholeRequest;
  const different = SAME_VECTOR.find(
    (name) => name in body && JSON.stringify(body[name]) !== JSON.stringify(before[name]),
  );
  if (different !== undefined) {
    throw new ApiError(
      "training_mismatch",
      `resume_from: \`${different}\` is ${JSON.stringify(before[different]) ?? "not given"} in ${from.job} and has to stay so`,
    );
  }
  const request: WholeRequest = { ...before };
  for (const name of OWN) delete request[name];
  // Either of the two says how long it takes.
  if (body.steps !== undefined) delete request.epochs;
  if (body.epochs !== undefined) delete request.steps;
  Object.assign(request, body);
  const whole =
    (request.mode ?? "sync") === order.mode.mode && optimizerOf(request) === optimizerOf(before);
  return { request, origin: { ...from, keys: checkpoint.keys, whole } };
}

/** What the object of a training job answers, of what is asked here. */
interface OriginObject {
  origin(step: number): Promise<{ order: TrainingOrder; checkpoint: StoredCheckpoint } | undefined>;
}

async function checkpointOf(
  env: Env,
  workspace: string,
  { job: id, step }: { job: string; step: number },
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

function optimizerOf({ optimizer = "adam" }: TrainingRequestBody): string {
  return typeof optimizer === "string" ? optimizer : optimizer.type;
}

function trainingOrder(
  id: string,
  workspace: string,
  request: WholeRequest,
  origin: Origin | undefined,
  modelName: string,
): TrainingOrder {
  const { model, dataset, name, inputs = {}, label, validation, shuffle = true } = request;
  const shown = shownOptions(request);
  return {
    id,
    workspace,
    modelId: model,
    datasetId: dataset,
    training: numericOptions(request),
    mode: {
      mode: shown.mode,
      world_size: shown.world_size,
      allreduce: {
        algorithm: request.allreduce?.algorithm,
        compression: request.allreduce?.compression ?? "none",
      },
      max_staleness: request.max_staleness ?? 4,
      local_steps: request.local_steps,
      outer_lr: request.outer_lr ?? 0.7,
      outer_momentum: request.outer_momentum ?? 0.9,
    },
    executor: shown.executor,
    data: { inputs: inputs as never, label, teacher: request.teacher?.field, validation, shuffle },
    metrics: request.metrics,
    checkpointEvery: request.checkpoint_every,
    origin,
    shown,
    resultModelId: newId("model"),
    resultName: name ?? `${modelName.replace(/\.onnx$/i, "")}.trained.onnx`,
  };
}

/** The request as jobs show it, with the defaults that one asks for most. */
function shownOptions(request: WholeRequest) {
  return {
    ...request,
    mode: request.mode ?? ("sync" as const),
    world_size: request.world_size ?? 1,
    batch_size: request.batch_size ?? 32,
    seed: request.seed ?? 0,
    executor: request.executor ?? ("edge" as const),
  };
}

/** What is left when the options of data, mode and job are taken away. */
function numericOptions(request: WholeRequest): TrainingOptions {
  const { teacher, lr, optimizer = "adam" } = request;
  const {
    model: _model,
    dataset: _dataset,
    name: _name,
    inputs: _inputs,
    label: _label,
    validation: _validation,
    shuffle: _shuffle,
    metrics: _metrics,
    lr: _lr,
    mode: _mode,
    world_size: _worldSize,
    allreduce: _allreduce,
    max_staleness: _staleness,
    local_steps: _localSteps,
    outer_lr: _outerLr,
    outer_momentum: _outerMomentum,
    executor: _executor,
    checkpoint_every: _checkpointEvery,
    resume_from: _resumeFrom,
    teacher: _teacher,
    ...numeric
  } = request;
  const { field: _field, ...taught } = teacher ?? {};
  const rated = typeof optimizer === "string" ? { type: optimizer } : optimizer;
  return {
    ...numeric,
    optimizer: lr === undefined ? optimizer : { lr, ...rated },
    ...(teacher && { teacher: taught }),
  } as TrainingOptions;
}
