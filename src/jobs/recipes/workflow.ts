/**
 * @file A recipe as a Workflow: one durable step for each of its steps. What is to be seen of it is in the
 * OptimizeJob, which starts it, and starts another when it is not heard of: every step may be done again.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { optimizeObject } from "./optimize-object.ts";
import { makesModel } from "./order-step.ts";
import type { OptimizeOrder } from "./recipe.ts";
import { SearchRun } from "./run-search.ts";
import { runStep } from "./run-step.ts";

/** Ten minutes each: a week for a step's job. What fails each time at once fails after a quarter of an hour. */
const PATIENTLY = {
  retries: { limit: 1_000, delay: "1 second", backoff: "constant" },
  timeout: "15 minutes",
} as const;

export class RecipeWorkflow extends WorkflowEntrypoint<Env, OptimizeOrder> {
  override async run(
    { payload: order }: Readonly<WorkflowEvent<OptimizeOrder>>,
    step: WorkflowStep,
  ): Promise<void> {
    if (order.goal) {
      const durable = { step, patience: PATIENTLY };
      return await new SearchRun(this.env, order, order.goal, durable).run();
    }
    let model = order.modelId;
    const lastMaker = order.steps.findLastIndex((each) => makesModel(each));
    for (const [index, each] of order.steps.entries()) {
      const at = { index, step: each, name: index === lastMaker ? order.name : null };
      const outcome = await step.do(`${index + 1} ${each.op}`, PATIENTLY, async () => {
        const ended = await runStep(this.env, order, at, model);
        // A problem's report may be larger than what a step gives: it is told to the job from here.
        if (ended.state !== "failed") return ended;
        await optimizeObject(this.env, order.id).failStep(index, ended.problem);
        return { state: "over" as const };
      });
      if (outcome.state === "over") return;
      model = outcome.model;
    }
    await step.do("end", PATIENTLY, async () => {
      await optimizeObject(this.env, order.id).succeed();
    });
  }
}
