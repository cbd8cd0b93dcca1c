/** @file The whole API: what every request passes, then one router per resource. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { auditLog } from "./audit-log.ts";
import { authenticate } from "./auth.ts";
import { compressions } from "./compress.ts";
import type { AppEnv } from "./context.ts";
import { conditional } from "./conditional.ts";
import { createRouter } from "./context.ts";
import { allowOrigins } from "./cors.ts";
import { datasetRows } from "./dataset-rows.ts";
import { datasets } from "./datasets.ts";
import { addDocs } from "./docs.ts";
import { health } from "./health.ts";
import { hookDeliveries } from "./hook-deliveries.ts";
import { hookTriggers } from "./hook-trigger.ts";
import { hooks } from "./hooks.ts";
import { repeatable } from "./idempotency.ts";
import { jobs } from "./jobs.ts";
import { keys } from "./keys.ts";
import { metrics } from "./metrics.ts";
import { modelContent } from "./model-content.ts";
import { modelGraph } from "./model-graph.ts";
import { measurements } from "./measurements.ts";
import { models } from "./models.ts";
import { observe } from "./observe.ts";
import { onError, onNotFound } from "./on-error.ts";
import { limitStorage } from "./quota.ts";
import { limitRate } from "./rate-limit.ts";
import { readJson } from "./read-json.ts";
import { rankLinks } from "./rank-links.ts";
import { optimize } from "./optimize.ts";
import { recipes } from "./recipes.ts";
import { reports } from "./reports.ts";
import { identify } from "./request-id.ts";
import { runners } from "./runners.ts";
import { runnerTokens } from "./runner-tokens.ts";
import { signedBlobs } from "./signed-blobs.ts";
import { trainingJobs } from "./training-jobs.ts";
import { uploads } from "./uploads.ts";
import { webhookDeliveries } from "./webhook-deliveries.ts";
import { webhookEndpoints } from "./webhook-endpoints.ts";
import { describeWebhooks } from "./webhook-events.ts";
import { workspaces } from "./workspace.ts";

export const api: OpenAPIHono<AppEnv> = createRouter();

api.onError(onError);
api.notFound(onNotFound((path) => allowedMethods(path)));
api.use(
  identify,
  observe,
  allowOrigins,
  authenticate,
  limitRate,
  limitStorage,
  readJson,
  repeatable,
  conditional((request, c) => api.fetch(request, c.env, c.executionCtx)),
);

api.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
  type: "http",
  scheme: "bearer",
  description: "A key of /v1/keys; the first one is printed when the service starts.",
});
for (const router of [
  compressions,
  models,
  measurements,
  optimize,
  recipes,
  hooks,
  hookTriggers,
  hookDeliveries,
  modelContent,
  modelGraph,
  uploads,
  datasets,
  datasetRows,
  jobs,
  trainingJobs,
  runners,
  runnerTokens,
  rankLinks,
  signedBlobs,
  webhookEndpoints,
  webhookDeliveries,
  reports,
  keys,
  workspaces,
  auditLog,
  health,
  metrics,
]) {
  api.route("/", router);
}
describeWebhooks(api);
addDocs(api);

/** The methods of the routes whose path fits. */
function allowedMethods(path: string): string[] {
  const methods = new Set<string>();
  for (const route of api.routes) {
    if (route.method === "ALL" || !pattern(route.path).test(path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}

/** `/v1/models/:id/content` as a regular expression. */
function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:\w+(\{[^}]*\})?/g, "[^/]+")}$`);
}
