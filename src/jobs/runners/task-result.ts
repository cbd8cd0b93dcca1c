/** @file Is a result what the task asked for? Runners are not trusted. */
import type { z } from "zod";
import { higherIsBetter } from "../../evaluate/metric.ts";
import { type EvaluateResult, RESULTS } from "../../runner/results.ts";
import { targetKey } from "./sign-task.ts";
import type { TaskOrder } from "./task-order.ts";

/** What is wrong with a result; `undefined` when nothing is. Every target must have been put. */
export async function resultProblem(
  env: Env,
  order: TaskOrder,
  lease: number,
  result: Record<string, unknown>,
): Promise<string | undefined> {
  const parsed = RESULTS[order.kind].safeParse(result);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.join(".") || "the result"}: ${issue?.message ?? "is not valid"}`;
  }
  if (order.kind === "evaluate") {
    const problem = metricsProblem(order, parsed.data as z.infer<typeof EvaluateResult>);
    if (problem) return problem;
  }
  for (const [name, { key }] of Object.entries(order.targets)) {
    if (!(await env.BLOBS.head(targetKey(key, lease)))) return `"${name}" was not put`;
  }
  return undefined;
}

/** All rows, and a figure for each metric; shares are from 0 to 1. */
function metricsProblem(
  { spec }: TaskOrder,
  { rows, metrics }: z.infer<typeof EvaluateResult>,
): string | undefined {
  if (rows !== spec["rows"]) return `${rows} rows, ${String(spec["rows"])} were asked for`;
  for (const metric of spec["metrics"] as string[]) {
    const value = metrics[metric];
    if (value === undefined) return `there is no ${metric}`;
    if (higherIsBetter(metric) && !(value >= 0 && value <= 1)) return `${metric} is ${value}`;
  }
  return undefined;
}
