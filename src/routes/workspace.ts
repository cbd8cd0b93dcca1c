/** @file /v1/workspace and /v1/usage: what the key's workspace holds and used; and its deletion. */
import { createRoute, z } from "@hono/zod-openapi";
import { deleteWorkspace } from "../jobs/delete-workspace.ts";
import { ApiError } from "../problem/api-error.ts";
import { dayOf, readUsage } from "../store/usage.ts";
import { findWorkspace, storedBytes, type Workspace } from "../store/workspaces.ts";
import { type AppContext, createRouter } from "./context.ts";
import { problems, seconds, Timestamp, json } from "./schemas.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_DAYS = 30;
const MAX_DAYS = 366;

const count = z.number().int().min(0);

const WorkspaceSchema = z
  .object({
    id: z.string().openapi({ example: "ws_8h3d" }),
    object: z.literal("workspace"),
    name: z.string(),
    stored_bytes: count.openapi({
      description: "Of models, datasets and parts of uploads.",
      example: 436207616,
    }),
    max_stored_bytes: count.nullable().openapi({ description: "Null: no bound.", example: null }),
    created_at: Timestamp,
  })
  .openapi("Workspace");

const Day = z.iso.date().openapi({ example: "2026-11-24" });

const Usage = z
  .object({
    object: z.literal("usage"),
    data: z
      .array(
        z.object({
          day: Day,
          requests: count,
          bytes_in: count.openapi({ description: "Bodies of requests." }),
          bytes_out: count.openapi({ description: "Bodies of answers whose length is known." }),
          jobs: count.openapi({ description: "That ended on this day." }),
          job_seconds: count.openapi({ description: "From their begin to their end." }),
        }),
      )
      .openapi({ description: "Days with any use (UTC), oldest first." }),
  })
  .openapi("Usage");

const read = createRoute({
  method: "get",
  path: "/v1/workspace",
  operationId: "getWorkspace",
  tags: ["Workspace"],
  summary: "Get the workspace",
  responses: {
    200: { description: "The workspace that the key opens.", ...json(WorkspaceSchema) },
    ...problems(404),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/workspace",
  operationId: "deleteWorkspace",
  tags: ["Workspace"],
  summary: "Delete the workspace",
  description:
    "Everything goes: keys at once, jobs are canceled, models, datasets, reports, endpoints and logs are deleted. " +
    "There is no way back.",
  request: {
    body: {
      required: true,
      ...json(
        z
          .strictObject({
            confirm: z.string().openapi({ description: "The workspace's id.", example: "ws_8h3d" }),
          })
          .openapi("DeleteWorkspaceRequest"),
      ),
    },
  },
  responses: {
    202: { description: "Nothing opens it any more; the last bytes go within the hour." },
    204: { description: "Everything is gone." },
    ...problems(400, 404),
  },
});

const usage = createRoute({
  method: "get",
  path: "/v1/usage",
  operationId: "getUsage",
  tags: ["Workspace"],
  summary: "Get the usage",
  description: `By day, at most ${MAX_DAYS} days. Counters may be a few seconds behind.`,
  request: {
    query: z.strictObject({
      from: Day.optional().openapi({ description: `Default: ${DEFAULT_DAYS} days before \`to\`.` }),
      to: Day.optional().openapi({ description: "Default: today." }),
    }),
  },
  responses: { 200: { description: "The usage.", ...json(Usage) }, ...problems(400) },
});

export const workspaces = createRouter()
  .openapi(read, async (c) => {
    const workspace = await required(c);
    const bound = c.env.MAX_STORED_BYTES;
    return c.json(
      {
        ...workspace,
        object: "workspace" as const,
        stored_bytes: await storedBytes(c.env.DB, workspace.id),
        max_stored_bytes: bound === "" ? null : Number(bound),
        created_at: seconds(workspace.created_at),
      },
      200,
    );
  })
  .openapi(remove, async (c) => {
    const { id } = await required(c);
    const { confirm } = c.req.valid("json");
    if (confirm !== id) {
      const message = "must be the id that GET /v1/workspace tells";
      throw new ApiError("invalid_request", `body: confirm: ${message}`, {
        errors: [{ path: "confirm", message }],
      });
    }
    const gone = await deleteWorkspace(c.env, id);
    return c.body(null, gone ? 204 : 202);
  })
  .openapi(usage, async (c) => {
    const { to = dayOf(Date.now()), from = dayOf(Date.parse(to) - DEFAULT_DAYS * DAY_MS) } =
      c.req.valid("query");
    const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
    if (days < 1 || days > MAX_DAYS) {
      throw new ApiError(
        "invalid_request",
        `query: from ${from} to ${to} are ${days} days; one call tells of 1 to ${MAX_DAYS}`,
      );
    }
    const data = await readUsage(c.env.DB, c.get("workspace"), from, to);
    return c.json({ object: "usage" as const, data }, 200);
  });

async function required(c: AppContext): Promise<Workspace> {
  const workspace = await findWorkspace(c.env.DB, c.get("workspace"));
  if (!workspace) throw new ApiError("not_found", "the workspace is gone");
  return workspace;
}
