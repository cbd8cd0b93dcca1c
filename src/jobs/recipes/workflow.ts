/**
 * @file A recipe as a Workflow: one durable step for each of its steps. What is to be seen of it is in the
 * OptimizeJob, which starts it, and starts another when it is not heard of: every step may be done again.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { optimizeObject } from "./optimize-object.ts";
import type { OptimizeOrder } from "./recipe.ts";
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
    let model = order.modelId;
    for (const [index, { op }] of order.steps.entries()) {
      const outcome = await step.do(`${index + 1} ${op}`, PATIENTLY, async () => {
        const ended = await runStep(this.env, order, index, model);
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
