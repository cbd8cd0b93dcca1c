/** @file /metrics for Prometheus: of the whole service with METRICS_TOKEN, of one's workspace with an admin key. */
import { createRoute, z } from "@hono/zod-openapi";
import { type Gauges, readGauges } from "../store/gauges.ts";
import { createRouter } from "./context.ts";
import { requestLines } from "./request-counters.ts";
import { problems } from "./schemas.ts";

const read = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  tags: ["Service"],
  summary: "Metrics",
  description:
    "In Prometheus' text format. With a key of the scope `admin`: how much there is in its workspace. With the " +
    "operator's METRICS_TOKEN in the key's place: of all workspaces, and the requests that this isolate answered.",
  responses: {
    200: {
      description: "The metrics.",
      content: {
        "text/plain": {
          schema: z.string().openapi({ example: 'hone_jobs{state="running"} 2' }),
        },
      },
    },
    ...problems(405),
  },
});

export const metrics = createRouter().openapi(read, async (c) => {
  const workspace: string | undefined = c.get("workspace");
  const lines = gaugeLines(await readGauges(c.env.DB, workspace));
  // The isolate's requests are everybody's.
  if (workspace === undefined) lines.push(...requestLines());
  return c.text(`${lines.join("\n")}\n`, 200, {
    "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    "Cache-Control": "no-store",
  });
});

function gaugeLines({ jobs, ...gauges }: Gauges): string[] {
  const lines = Object.entries(gauges).flatMap(([name, value]) => [
    `# TYPE hone_${name} gauge`,
    `hone_${name} ${value}`,
  ]);
  return [
    ...lines,
    "# TYPE hone_jobs gauge",
    ...jobs.map(({ state, count }) => `hone_jobs{state="${state}"} ${count}`),
  ];
}
