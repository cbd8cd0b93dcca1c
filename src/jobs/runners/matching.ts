/** @file Which runner may do a task. */
import type { RunnerInfo, TaskKind, TaskNeeds } from "../../runner/protocol.ts";

/** True when a runner has what a task asks for. */
export function fits(info: RunnerInfo, kind: TaskKind, needs: TaskNeeds): boolean {
  const { backends, features, model_bytes } = needs;
  const has = info.adapter?.features ?? [];
  return (
    info.kinds.includes(kind) &&
    (backends === undefined || backends.some((backend) => info.backends.includes(backend))) &&
    (features === undefined || features.every((feature) => has.includes(feature))) &&
    (model_bytes === undefined || model_bytes <= info.max_model_bytes)
  );
}
