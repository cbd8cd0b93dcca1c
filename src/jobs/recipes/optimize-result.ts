/** @file What an optimization came to, of its steps' results. */
import { linksOf } from "../hooks/result-files.ts";
import type { OptimizeOrder, OptimizeResult, StepResult } from "./recipe.ts";

/** @param steps those on the way from the model that it began with to the result */
export async function optimizeResult(
  env: Env,
  order: OptimizeOrder,
  steps: readonly StepResult[],
  found: Pick<OptimizeResult, "search">,
): Promise<OptimizeResult> {
  const last = steps.at(-1);
  if (!last) throw new Error(`recipes: ${order.id} has no steps`);
  const { model_id, bytes } = last;
  return {
    model_id,
    bytes_before: order.bytes,
    bytes,
    ratio: order.bytes / bytes,
    steps: [...steps],
    lineage: [...new Set([order.modelId, ...steps.map((step) => step.model_id)])],
    ...found,
    ...(await linksOf(env, order, model_id)),
  };
}
