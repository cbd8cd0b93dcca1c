/** @file A process that is killed loses no event: what its receivers did not take is sent after the next start. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { serve } from "./process.ts";
import { newDataDir } from "./service.ts";

const OPTIONS = {
  allowLoopback: true,
  vars: { WEBHOOK_PAUSES_S: Array.from({ length: 100 }, () => 1).join() },
};

it("events of before a SIGKILL arrive after the next start, with their numbers", async () => {
  const dataDir = await newDataDir();
  const received: { type: string; sequence: number }[] = [];
  let isThere = false;
  const receiver = createServer(async (request, response) => {
    if (!isThere) return void request.socket.destroy();
    let body = "";
    for await (const chunk of request) body += String(chunk);
    received.push(JSON.parse(body));
    response.writeHead(204).end();
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address() as AddressInfo;
  const first = await serve(dataDir, OPTIONS);
  await first.call("/v1/webhook-endpoints", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ url: `http://127.0.0.1:${port}/`, events: ["model.created"] }),
  });
  for (let seed = 0; seed < 5; seed++) {
    const body = await linearFile(16, 16, seed);
    expect((await first.call("/v1/models", { method: "POST", body })).status).toBe(201);
  }
  await first.kill();
  const second = await serve(dataDir, OPTIONS);
  isThere = true;
  await expect.poll(() => received.length).toBeGreaterThanOrEqual(5);
  await second.kill();
  receiver.close();
  await rm(dataDir, { recursive: true, force: true });
  expect(received.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
});
