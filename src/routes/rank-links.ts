/** @file /v1/ranks/connect: the WebSocket by which a runner computes a rank's gradients. The signed address is the permission. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { readLinkGrant } from "../store/signed-links.ts";
import { createRouter } from "./context.ts";
import { problemsOnly } from "./schemas.ts";

/** Not in openapi.yaml, which has no word for WebSockets. */
const connect = createRoute({
  hide: true,
  method: "get",
  path: "/v1/ranks/connect",
  request: { query: z.strictObject({ grant: z.string().max(4000) }) },
  responses: {
    101: { description: "The WebSocket is open: the rank says how its vector is laid out." },
    ...problemsOnly(400, 404, 426, 500),
  },
});

export const rankLinks = createRouter().openapi(connect, async (c) => {
  const grant = await readLinkGrant(c.env.SIGNING_SECRET, c.req.valid("query").grant);
  if (!grant) throw new ApiError("not_found", "the address was not signed here, or has expired");
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    throw new ApiError(
      "upgrade_required",
      "runners open a WebSocket",
      {},
      { Upgrade: "websocket" },
    );
  }
  const headers = new Headers({ Upgrade: "websocket", "Hone-Grant": JSON.stringify(grant) });
  const rank = c.env.RANKS.getByName(grant.rank);
  return (await rank.fetch(new Request(c.req.url, { headers }))) as never;
});
