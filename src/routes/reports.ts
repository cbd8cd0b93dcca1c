/** @file /v1/reports/{id}: what a compression did, weight by weight. */
import { createRoute } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { findReport } from "../store/reports.ts";
import { createRouter } from "./context.ts";
import { Report } from "./report-schema.ts";
import { idParam, problems } from "./schemas.ts";

const read = createRoute({
  method: "get",
  path: "/v1/reports/{id}",
  operationId: "getReport",
  tags: ["Reports"],
  summary: "Get a report",
  description: "Reports are kept for 30 days.",
  request: { params: idParam("report", "report_8w3m") },
  responses: {
    200: { description: "The report.", content: { "application/json": { schema: Report } } },
    ...problems(404),
  },
});

export const reports = createRouter().openapi(read, async (c) => {
  const { id } = c.req.valid("param");
  const report = await findReport(c.env, c.get("workspace"), id);
  if (!report) throw new ApiError("not_found", `there is no report ${id}`);
  return new Response(report.body, { headers: { "Content-Type": "application/json" } }) as never;
});
