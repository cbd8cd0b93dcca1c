/** @file A process that is killed loses no event: what its receivers did not take is sent after the next start. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { serve } from "./process.ts";
import { newDataDir } from "./service.ts";

const LOOPBACK = { HONE_ALLOW_LOOPBACK: "1" };

it("events of before a SIGKILL arrive after the next start, with their numbers", async () => {
  const dataDir = await newDataDir();
  const received: { type: string; sequence: number }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    received.push(JSON.parse(body));
    response.writeHead(204).end();
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address() as AddressInfo;
  await new Promise((resolve) => receiver.close(resolve));
  const first = await serve(dataDir, LOOPBACK);
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
  receiver.listen(port, "127.0.0.1");
  await once(receiver, "listening");
  const second = await serve(dataDir, LOOPBACK);
  for (let tries = 0; received.length < 5 && tries < 300; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await second.kill();
  receiver.close();
  await rm(dataDir, { recursive: true, force: true });
  expect(received.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
});
