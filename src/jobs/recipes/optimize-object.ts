/** @file The object of an optimization, as the Workflow that drives it sees it. */
import type { Problem } from "../../problem/api-error.ts";
import type { StepAt, StepResult } from "./recipe.ts";
import type { SearchReport } from "./search-order.ts";

/** Each answers whether the job goes on: false once it is over. */
export interface OptimizeObject {
  /** Between steps: whoever is not heard of is taken for dead. */
  stillGoesOn(): Promise<boolean>;
  beginStep(at: StepAt, job: string): Promise<boolean>;
  tellStep(
    index: number,
    told: { job_id: string; fraction: number; doing: string },
  ): Promise<boolean>;
  endStep(index: number, result: Omit<StepResult, "ms">): Promise<boolean>;
  /** A candidate came to nothing: the search goes on. */
  refuseStep(index: number, problem: Problem): Promise<void>;
  failStep(index: number, problem: Problem): Promise<void>;
  /** All steps are done. */
  succeed(): Promise<void>;
  /** @param steps those of the best candidate */
  endSearch(report: SearchReport, steps: readonly number[]): Promise<void>;
  /** Once the job has succeeded. */
  resultModel(): Promise<string | undefined>;
}

export function optimizeObject(env: Env, id: string): OptimizeObject {
  return env.OPTIMIZE_JOBS.getByName(id) as unknown as OptimizeObject;
}
