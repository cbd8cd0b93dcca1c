/** @file The Worker: mounts the API and exports the classes the platform calls. */
import { workBatch } from "./jobs/hooks/work.ts";
import type { HookMessage } from "./jobs/hooks/queue.ts";
import { type ObjectMessage, receiveObjects } from "./jobs/hooks/receive-objects.ts";
import { sweep } from "./jobs/sweep.ts";
import { dispatchBatch, type EventMessage } from "./jobs/webhooks/dispatch.ts";
import { api } from "./routes/api.ts";

export { Job } from "../durable-objects/job.ts";
export { MeasurementJob } from "../durable-objects/measurement-job.ts";
export { OptimizeJob } from "../durable-objects/optimize-job.ts";
export { Rank } from "../durable-objects/rank.ts";
export { RunnerPool } from "../durable-objects/runner-pool.ts";
export { WebhookEndpoint } from "../durable-objects/webhook-endpoint.ts";
export { TrainingJob } from "../durable-objects/training-job.ts";
export { RecipeWorkflow } from "./jobs/recipes/workflow.ts";

/** Queues as wrangler.toml names them: of deliveries that came in, and of what R2 says of the exchange bucket. */
const HOOKS = "hone-hooks";
const OBJECTS = "hone-objects";

export default {
  fetch: api.fetch,
  async scheduled(_controller, env) {
    await sweep(env);
  },
  async queue(batch, env) {
    if (batch.queue === HOOKS) await workBatch(env, batch as MessageBatch<HookMessage>);
    else if (batch.queue === OBJECTS)
      await receiveObjects(env, batch as MessageBatch<ObjectMessage>);
    else await dispatchBatch(env, batch as MessageBatch<EventMessage>);
  },
} satisfies ExportedHandler<Env, EventMessage | HookMessage | ObjectMessage>;
