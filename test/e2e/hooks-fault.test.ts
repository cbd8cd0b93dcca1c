/** @file A process that is killed loses no delivery that it answered, does none twice, and hands every result over. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { serve } from "./process.ts";
import { newDataDir } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

const DELIVERIES = 12;

it("deliveries of before a SIGKILL end in one model and one job each after the next start", async () => {
  const dataDir = await newDataDir();
  const model = await linearFile(16, 16);
  const put = new Map<string, number>();
  const origin = createServer((request, response) => {
    request.resume();
    if (request.method === "PUT") {
      request.on("end", () => {
        put.set(request.url ?? "", (put.get(request.url ?? "") ?? 0) + 1);
        response.writeHead(201).end();
      });
    } else setTimeout(() => response.end(model), 100);
  });
  origin.listen(0, "127.0.0.1");
  await once(origin, "listening");
  const { port } = origin.address() as AddressInfo;
  const first = await serve(dataDir, { allowLoopback: true });
  const made = await first.call("/v1/hooks", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      source: "standard",
      model: { url: "{url}" },
      steps: [{ op: "prune", amount: 0.5 }],
      deliver: { to: "http_put", url: `http://127.0.0.1:${port}/{job}` },
    }),
  });
  const hook = (await made.json()) as Json;
  for (let index = 0; index < DELIVERIES; index++) {
    const body = JSON.stringify({ url: `http://127.0.0.1:${port}/${index}.onnx` });
    const at = new Date();
    const answer = await fetch(`${first.url}/v1/hooks/${hook.id}`, {
      method: "POST",
      headers: {
        "webhook-id": `msg_${index}`,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
        "webhook-signature": new Webhook(hook.secret).sign(`msg_${index}`, at, body),
      },
      body,
    });
    expect(answer.status).toBe(202);
  }
  await first.kill();
  const second = await serve(dataDir, { allowLoopback: true });
  const list = async (path: string): Promise<Json[]> =>
    ((await (await second.call(`${path}?limit=100`)).json()) as Json).data;
  await expect
    .poll(
      async () =>
        (await list(`/v1/hooks/${hook.id}/deliveries`)).filter(({ state }) => state === "done")
          .length,
      { interval: 200 },
    )
    .toBe(DELIVERIES);
  const jobs = (await list("/v1/jobs")).filter(({ operation }) => operation === "optimize");
  expect(new Set(jobs.map(({ model_id }) => model_id)).size).toBe(DELIVERIES);
  expect(jobs.length).toBe(DELIVERIES);
  await expect.poll(() => put.size).toBe(DELIVERIES);
  expect([...put.keys()].sort()).toEqual(jobs.map(({ id }) => `/${id}`).sort());
  await second.kill();
  origin.close();
  await rm(dataDir, { recursive: true, force: true });
});
