/** @file The object of an optimization, as the Workflow that drives it sees it. */
import type { Problem } from "../../problem/api-error.ts";
import type { StepResult } from "./recipe.ts";

/** Each answers whether the job goes on: false once it is over. */
export interface OptimizeObject {
  beginStep(index: number, job: string): Promise<boolean>;
  tellStep(
    index: number,
    told: { job_id: string; fraction: number; doing: string },
  ): Promise<boolean>;
  endStep(index: number, result: Omit<StepResult, "ms">): Promise<boolean>;
  failStep(index: number, problem: Problem): Promise<void>;
  /** All steps are done. */
  succeed(): Promise<void>;
}

export function optimizeObject(env: Env, id: string): OptimizeObject {
  return env.OPTIMIZE_JOBS.getByName(id) as unknown as OptimizeObject;
}
