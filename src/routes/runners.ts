/** @file /v1/runners: who computes for this workspace, their tokens, and the WebSocket that they open. */
import { createRoute, z } from "@hono/zod-openapi";
import { runnerPool } from "../jobs/runners/pool.ts";
import { ApiError } from "../problem/api-error.ts";
import { RunnerInfo } from "../runner/protocol.ts";
import { numberOf, positionOf } from "../store/page.ts";
import { findRunnerToken } from "../store/runner-tokens.ts";
import { type AppContext, createRouter } from "./context.ts";
import {
  idParam,
  json,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  problemsOnly,
  Timestamp,
} from "./schemas.ts";

const Runner = z
  .object({
    id: z.string().openapi({ example: "runner_8s1d" }),
    object: z.literal("runner"),
    state: z
      .enum(["idle", "working", "draining", "starting", "gone"])
      .openapi({ description: "`gone`: not connected; it is listed for a day." }),
    info: RunnerInfo.openapi("RunnerInfo"),
    task_id: z.string().nullable(),
    tasks_done: z.number().int(),
    tasks_failed: z.number().int(),
    strikes: z.number().int().openapi({ description: "Results that were refused; at most 3." }),
    busy_s: z.number().openapi({ description: "Seconds that it held tasks." }),
    connected_at: Timestamp,
    last_seen_at: Timestamp,
  })
  .openapi("Runner");

const list = createRoute({
  method: "get",
  path: "/v1/runners",
  operationId: "listRunners",
  tags: ["Runners"],
  summary: "List runners",
  request: { query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(Runner, "RunnerList")) },
    ...problems(400),
  },
});

const LogLine = z.object({
  at: z.number().openapi({ description: "Unix time in milliseconds." }),
  runner: z.string().nullable(),
  task: z.string().nullable(),
  what: z.string(),
});

const log = createRoute({
  method: "get",
  path: "/v1/runners/log",
  operationId: "getRunnerLog",
  tags: ["Runners"],
  summary: "Read what happened to runners",
  description: "Connections, tasks taken back, results refused: the latest of them.",
  request: {
    query: PageQuery.extend({
      runner: z.string().max(64).optional().openapi({ description: "Only of this one." }),
    }),
  },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(LogLine, "RunnerLog")) },
    ...problems(400),
  },
});

const drain = createRoute({
  method: "post",
  path: "/v1/runners/{id}/drain",
  operationId: "drainRunner",
  tags: ["Runners"],
  summary: "Drain a runner",
  description: "It finishes what it does, gets nothing more, and disconnects.",
  request: { params: idParam("runner", "runner_8s1d") },
  responses: { 204: { description: "It was told." }, ...problems(404) },
});

/** Not in openapi.yaml, which has no word for WebSockets; the tag's text says how to connect. */
const connect = createRoute({
  hide: true,
  method: "get",
  path: "/v1/runners/connect",
  responses: {
    101: { description: "The WebSocket is open: the runner says hello." },
    ...problemsOnly(401, 426, 500),
  },
});

/** Besides the token, so that the answer names a protocol that is no secret. */
const SUBPROTOCOL = "hone.runner";

export const runners = createRouter()
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const pool = runnerPool(c.env, c.get("workspace"));
    const page = await pool.list(positionOf(cursor), limit);
    return c.json(
      pageBody(page, (runner) => runner),
      200,
    );
  })
  .openapi(log, async (c) => {
    const { runner, limit, cursor } = c.req.valid("query");
    const pool = runnerPool(c.env, c.get("workspace"));
    const page = await pool.log(runner, numberOf(cursor), limit);
    return c.json(
      pageBody(page, ({ at, runner: id, task, what }) => ({ at, runner: id, task, what })),
      200,
    );
  })
  .openapi(drain, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await runnerPool(c.env, c.get("workspace")).drain(id))) {
      throw new ApiError("not_found", `no runner ${id} is connected`);
    }
    return c.body(null, 204);
  })
  .openapi(connect, async (c) => {
    const owner = await requireToken(c);
    // After the token, so that a runner whose WebSocket is refused can ask why.
    if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
      throw new ApiError(
        "upgrade_required",
        "runners open a WebSocket",
        {},
        { Upgrade: "websocket" },
      );
    }
    const headers = new Headers({ Upgrade: "websocket", "Hone-Token-Id": owner.tokenId });
    if (offered(c).includes(SUBPROTOCOL)) headers.set("Hone-Subprotocol", SUBPROTOCOL);
    return (await runnerPool(c.env, owner.workspace).fetch(
      new Request(c.req.url, { headers }),
    )) as never;
  });

/** @throws ApiError 401 for tokens that are not known, revoked, or expired without a runner that was here of late */
async function requireToken(c: AppContext) {
  const fromHeader = /^Bearer +(\S+) *$/i.exec(c.req.header("Authorization") ?? "")?.[1];
  const fromProtocol = offered(c)
    .find((protocol) => protocol.startsWith("token."))
    ?.slice("token.".length);
  const secret = fromHeader ?? fromProtocol;
  const owner = secret === undefined ? undefined : await findRunnerToken(c.env.DB, secret);
  if (!owner) throw new ApiError("unauthorized", "there is no such runner token");
  if (owner.expired && !(await runnerPool(c.env, owner.workspace).knows(owner.tokenId))) {
    throw new ApiError("unauthorized", "the runner token has expired");
  }
  return owner;
}

function offered(c: AppContext): string[] {
  return (c.req.header("Sec-WebSocket-Protocol") ?? "").split(",").map((each) => each.trim());
}
