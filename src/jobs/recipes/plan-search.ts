/** @file The methods that a search has for a stored model. */
import { readModel } from "../../onnx/read-model.ts";
import { ApiError } from "../../problem/api-error.ts";
import type { PlannedMethod, RefusedMethod } from "../../search/methods.ts";
import { openModel } from "../../store/models.ts";
import { ARENA_BYTES } from "../engine.ts";
import { inTurn } from "../turns.ts";
import type { OptimizeOrder } from "./recipe.ts";
import type { SearchGoalOptions } from "./search-order.ts";

/** @throws ApiError when the model is gone; what planning throws */
export async function planSearch(
  env: Env,
  {
    workspace,
    modelId,
    bytes,
    goal,
  }: Pick<OptimizeOrder, "workspace" | "modelId" | "bytes"> & { goal: SearchGoalOptions },
): Promise<{ methods: PlannedMethod[]; refused: RefusedMethod[] }> {
  const input = await openModel(env, workspace, modelId);
  if (!input) throw new ApiError("not_found", `there is no model ${modelId} any more`);
  const [{ planMethods }, { Arena }, { default: kernels }] = await Promise.all([
    import("../../search/methods.ts"),
    import("../../kernels/arena.ts"),
    import("../../kernels/kernels.wasm"),
  ]);
  const external = input.external;
  const model = await readModel(input.source, external ? { external } : {});
  return await inTurn(async () => {
    const arena = await Arena.create(kernels, ARENA_BYTES);
    return await planMethods(model, bytes, { arena }, calibrationOn(goal));
  });
}

/** The rows that the goal is measured on say the ranges of activations, too. */
function calibrationOn({ dataset, inputs, executor }: SearchGoalOptions): Record<string, unknown> {
  const named = inputs === undefined ? {} : { calibration_inputs: inputs };
  return { calibration_dataset: dataset, ...named, executor };
}
