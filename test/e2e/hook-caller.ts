/** @file Calls to hooks: as their senders, and as who looks at what became of it. */
import { createHmac, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect } from "vitest";
import type { TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

export interface HookCaller {
  get: (path: string) => Promise<Json>;
  post: (path: string, body: unknown) => Promise<Json>;
  /** Without a key. */
  send: (id: string, headers: Record<string, string>, body: string) => Promise<Json>;
  deliveries: (id: string) => Promise<Json[]>;
  /** The deliveries, once nothing waits any more. */
  settled: (id: string) => Promise<Json[]>;
}

export function hookCaller(service: TestService): HookCaller {
  const get = async (path: string): Promise<Json> => await (await service.call(path)).json();
  const json = async (response: Response): Promise<Json> => ({
    status: response.status,
    ...((await response.json()) as Json),
  });
  const deliveries = async (id: string): Promise<Json[]> =>
    (await get(`/v1/hooks/${id}/deliveries?limit=100`)).data;
  return {
    get,
    post: async (path, body) =>
      await json(
        await service.call(path, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        }),
      ),
    send: async (id, headers, body) =>
      await json(
        await fetch(`${service.url}/v1/hooks/${id}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", ...headers },
          body,
        }),
      ),
    deliveries,
    settled: async (id) => {
      const waiting = async () =>
        (await deliveries(id)).filter(({ state }) => state === "queued" || state === "working");
      await expect.poll(async () => (await waiting()).length, { interval: 100 }).toBe(0);
      return await deliveries(id);
    },
  };
}

export function signed(secret: string, body: string, id: string = randomUUID(), at = new Date()) {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
}

export function github(secret: string, event: string, body: string) {
  return {
    "X-GitHub-Event": event,
    "X-GitHub-Delivery": randomUUID(),
    "X-Hub-Signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
  };
}
