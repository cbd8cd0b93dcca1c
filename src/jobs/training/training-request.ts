/** @file A training's request, with model and data in it, as what a job is created with. */
import type { TrainingRequestBody } from "../../routes/training-options.ts";
import { newId } from "../../store/id.ts";
import type { TrainingOptions } from "../../train/options.ts";
import type { Origin, TrainingOrder } from "./training-order.ts";

/** A request with everything in it: that of another job under this one's. */
export type WholeRequest = TrainingRequestBody & { model: string; dataset: string };

export function trainingOrder(
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
    runnerCodec: request.runners?.compression ?? "none",
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
export function numericOptions(request: WholeRequest): TrainingOptions {
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
    runners: _runners,
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
