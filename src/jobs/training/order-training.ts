/** @file A training job from the outside: its request made whole, checked with model and data, and ordered. */
import { ApiError } from "../../problem/api-error.ts";
import type { TrainingRequestBody } from "../../routes/training-options.ts";
import { newId } from "../../store/id.ts";
import { findModel } from "../../store/models.ts";
import type { JobView } from "../job-view.ts";
import { enterJob } from "../jobs.ts";
import type { RecipeName } from "../recipes/recipe.ts";
import { mismatch } from "./mismatch.ts";
import { continuedRequest } from "./origin.ts";
import { planTraining } from "./plan-training.ts";
import { trainingOrder, type WholeRequest } from "./training-request.ts";
import type { Origin, TrainingOrder } from "./training-order.ts";
import { newTrainingView } from "./training-view.ts";

/**
 * Checks the request with model, data and the memory of a rank, then enters the job.
 * @throws ApiError saying what does not fit
 */
export async function orderTraining(
  env: Env,
  workspace: string,
  body: TrainingRequestBody,
  id = newId("job"),
  recipe: RecipeName | null = null,
): Promise<JobView> {
  const { request, origin } = await wholeRequest(env, workspace, body);
  const model = await findModel(env.DB, workspace, request.model);
  if (!model) throw new ApiError("not_found", `there is no model ${request.model}`);
  const asked = trainingOrder(id, workspace, request, origin, model.name);
  const { plan } = await planTraining(env, asked);
  if (origin?.whole && origin.step >= plan.steps) {
    throw mismatch(
      `resume_from: the checkpoint is of step ${origin.step}, this training ends with step ${plan.steps}: give more steps or epochs`,
    );
  }
  const order: TrainingOrder = {
    ...asked,
    schedule: { batches: plan.batches, start: plan.start },
    recipe,
  };
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
  if (from) return await continuedRequest(env, workspace, body, from);
  const { model, dataset } = body;
  if (model !== undefined && dataset !== undefined) {
    return { request: { ...body, model, dataset }, origin: undefined };
  }
  const missing = [
    ...(model === undefined ? ["model"] : []),
    ...(dataset === undefined ? ["dataset"] : []),
  ];
  throw new ApiError("invalid_request", `body: ${missing.join(" and ")} is missing`, {
    errors: missing.map((path) => ({ path, message: "is needed" })),
  });
}
