/** @file The worker that `bench/runner-pool.ts` loads: the service's pool of runners alone, without tokens. */
import type { RunnerPoolObject } from "../src/jobs/runners/pool.ts";
import type { TaskOrder } from "../src/jobs/runners/task-order.ts";

export { RunnerPool } from "../durable-objects/runner-pool.ts";

export default {
  async fetch(request, env) {
    const pool = env.RUNNERS.getByName("bench") as unknown as RunnerPoolObject;
    if (request.headers.get("Upgrade") === "websocket") return await pool.fetch(request);
    await pool.submit(await request.json<TaskOrder>());
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
