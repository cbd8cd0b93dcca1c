/** @file /healthz: whether the service is alive, with its catalogue; /readyz: whether all that it stands on answers. */
import { createRoute, z } from "@hono/zod-openapi";
import { createRouter } from "./context.ts";
import { problemsOnly } from "./schemas.ts";

const Status = z.enum(["ok", "unavailable"]);
const Health = z.object({ status: Status }).openapi("Health");
const Readiness = z
  .object({ status: Status, catalogue: Status, blobs: Status })
  .openapi("Readiness");
const json = <S extends z.ZodType>(description: string, schema: S) => ({
  description,
  content: { "application/json": { schema } },
});

/** What does not answer within this time is taken for gone. */
const PATIENCE_MS = 5_000;

const live = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  tags: ["Service"],
  summary: "Health",
  security: [],
  responses: {
    200: json("All is well.", Health),
    503: json("The catalogue does not answer.", Health),
    ...problemsOnly(405),
  },
});

const ready = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "getReadiness",
  tags: ["Service"],
  summary: "Readiness",
  description: "Whether the catalogue (D1) and the blobs (R2) answer.",
  security: [],
  responses: {
    200: json("The service takes requests.", Readiness),
    503: json("Something that it needs does not answer.", Readiness),
    ...problemsOnly(405),
  },
});

export const health = createRouter()
  .openapi(live, async (c) => {
    const status = await answers(async () => await c.env.DB.prepare("SELECT 1").first());
    return c.json({ status }, status === "ok" ? 200 : 503);
  })
  .openapi(ready, async (c) => {
    const [catalogue, blobs] = await Promise.all([
      // Without its tables a database is not ready.
      answers(async () => await c.env.DB.prepare("SELECT 1 FROM workspaces LIMIT 1").first()),
      answers(async () => await c.env.BLOBS.head("readyz")),
    ]);
    const isReady = catalogue === "ok" && blobs === "ok";
    const status: z.infer<typeof Status> = isReady ? "ok" : "unavailable";
    return c.json({ status, catalogue, blobs }, isReady ? 200 : 503);
  });

async function answers(ask: () => Promise<unknown>): Promise<z.infer<typeof Status>> {
  const answered = new AbortController();
  const late = scheduler
    .wait(PATIENCE_MS, { signal: answered.signal })
    .then(() => Promise.reject(new Error("no answer")));
  try {
    await Promise.race([ask(), late]);
    return "ok";
  } catch {
    return "unavailable";
  } finally {
    late.catch(() => undefined);
    answered.abort();
  }
}
