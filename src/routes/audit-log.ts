/** @file /v1/audit-log: who changed what. */
import { createRoute, z } from "@hono/zod-openapi";
import { type AuditEntry, listAuditEntries } from "../store/audit.ts";
import { createRouter } from "./context.ts";
import { pageBody, pageOf, PageQuery, problems, seconds, Timestamp } from "./schemas.ts";

const Entry = z
  .object({
    id: z.string().openapi({ example: "audit_7d2m" }),
    object: z.literal("audit_entry"),
    key_id: z.string().openapi({ description: "Who.", example: "key_2v9k" }),
    action: z
      .string()
      .openapi({ description: "Method and route.", example: "POST /v1/models/:id/quantize" }),
    resource: z.string().openapi({
      description: "The path of what was made, changed or deleted.",
      example: "/v1/jobs/job_9d4w",
    }),
    outcome: z.enum(["done", "refused", "failed"]),
    status: z.number().int().openapi({ example: 202 }),
    request_id: z.string().openapi({ example: "req_1f0c" }),
    created_at: Timestamp,
  })
  .openapi("AuditEntry");

const list = createRoute({
  method: "get",
  path: "/v1/audit-log",
  operationId: "listAuditEntries",
  tags: ["Workspace"],
  summary: "List changes",
  description:
    "Every request that a key made to change something, refused ones too; kept for 90 days.",
  request: { query: PageQuery.extend({ key_id: z.string().max(64).optional() }) },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(Entry, "AuditLog") } },
    },
    ...problems(400),
  },
});

export const auditLog = createRouter().openapi(list, async (c) => {
  const { limit, cursor, key_id: key } = c.req.valid("query");
  const page = await listAuditEntries(c.env.DB, c.get("workspace"), key, { limit, cursor });
  return c.json(pageBody(page, entryBody), 200);
});

function entryBody(entry: AuditEntry): z.infer<typeof Entry> {
  const { status } = entry;
  return {
    ...entry,
    object: "audit_entry",
    outcome: status < 400 ? "done" : status < 500 ? "refused" : "failed",
    created_at: seconds(entry.created_at),
  };
}
