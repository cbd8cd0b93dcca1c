/** @file Is a result what the task asked for? Runners are not trusted. */
import { RESULTS } from "../../runner/results.ts";
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
  for (const [name, { key }] of Object.entries(order.targets)) {
    if (!(await env.BLOBS.head(targetKey(key, lease)))) return `"${name}" was not put`;
  }
  return undefined;
}
