/** @file /v1/runner-tokens: what a runner connects with; shown once, short-lived, revocable. */
import { createRoute, z } from "@hono/zod-openapi";
import { runnerPool } from "../jobs/runners/pool.ts";
import { ApiError } from "../problem/api-error.ts";
import {
  addRunnerToken,
  listRunnerTokens,
  readRunnerToken,
  revokeRunnerToken,
  type RunnerToken,
} from "../store/runner-tokens.ts";
import { createRouter } from "./context.ts";
import {
  idParam,
  json,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
} from "./schemas.ts";

const Token = z
  .object({
    id: z.string().openapi({ example: "runtok_3k9a" }),
    object: z.literal("runner_token"),
    name: z.string(),
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Timestamp.nullable(),
  })
  .openapi("RunnerToken");

const NewToken = Token.extend({
  secret: z.string().openapi({ description: "Shown only now.", example: "hrt_…" }),
}).openapi("NewRunnerToken");

const create = createRoute({
  method: "post",
  path: "/v1/runner-tokens",
  operationId: "createRunnerToken",
  tags: ["Runners"],
  summary: "Make a runner token",
  description:
    "Runners connect with it until it expires; one that is connected may come back after a broken line.",
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              name: z.string().min(1).max(100).default("runner").openapi({ example: "lab" }),
              ttl_s: z
                .number()
                .int()
                .min(60)
                .max(86_400)
                .default(3_600)
                .openapi({ description: "Seconds until it expires.", example: 3600 }),
            })
            .openapi("NewRunnerTokenRequest"),
        },
      },
    },
  },
  responses: {
    201: { description: "The token.", content: { "application/json": { schema: NewToken } } },
    ...problems(400),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/runner-tokens",
  operationId: "listRunnerTokens",
  tags: ["Runners"],
  summary: "List runner tokens",
  request: { query: PageQuery },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(Token, "RunnerTokenList") } },
    },
    ...problems(400),
  },
});

const params = idParam("runtok", "runtok_3k9a");

const read = createRoute({
  method: "get",
  path: "/v1/runner-tokens/{id}",
  operationId: "getRunnerToken",
  tags: ["Runners"],
  summary: "Get a runner token",
  request: { params },
  responses: {
    200: { description: "The token, without its secret.", ...json(Token) },
    ...problems(404),
  },
});

const revoke = createRoute({
  method: "delete",
  path: "/v1/runner-tokens/{id}",
  operationId: "revokeRunnerToken",
  tags: ["Runners"],
  summary: "Revoke a runner token",
  description: "Runners that are connected by it are disconnected, and their tasks go to others.",
  request: { params },
  responses: { 204: { description: "It is revoked." }, ...problems(404) },
});

export const runnerTokens = createRouter()
  .openapi(create, async (c) => {
    const { name, ttl_s } = c.req.valid("json");
    const { token, secret } = await addRunnerToken(
      c.env.DB,
      c.get("workspace"),
      name,
      ttl_s * 1000,
    );
    return c.json({ ...tokenBody(token), secret }, 201);
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listRunnerTokens(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, tokenBody), 200);
  })
  .openapi(read, async (c) => {
    const { id } = c.req.valid("param");
    const token = await readRunnerToken(c.env.DB, c.get("workspace"), id);
    if (!token) throw new ApiError("not_found", `there is no runner token ${id}`);
    return c.json(tokenBody(token), 200);
  })
  .openapi(revoke, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await revokeRunnerToken(c.env.DB, c.get("workspace"), id))) {
      throw new ApiError("not_found", `there is no runner token ${id}`);
    }
    await runnerPool(c.env, c.get("workspace")).revoke(id);
    return c.body(null, 204);
  });

function tokenBody(token: RunnerToken) {
  return {
    id: token.id,
    object: "runner_token" as const,
    name: token.name,
    created_at: seconds(token.created_at),
    expires_at: seconds(token.expires_at),
    revoked_at: token.revoked_at === null ? null : seconds(token.revoked_at),
  };
}
