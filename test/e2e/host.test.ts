import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { startService } from "../../src/embedded/host.ts";
import { linearFile } from "../worker/service/models.ts";
import { caller, newDataDir, newService } from "./service.ts";

it("the first start makes a key that only its owner can read, the next one keeps key and models", async () => {
  const dataDir = await newDataDir();
  const first = await startService({ dataDir });
  const made = await caller(first)("/v1/models", { method: "POST", body: await linearFile() });
  const { id } = (await made.json()) as { id: string };
  await first.stop();
  expect((await readFile(join(dataDir, "api-key"), "utf8")).trim()).toBe(first.apiKey);
  expect((await stat(join(dataDir, "api-key"))).mode & 0o777).toBe(0o600);
  const second = await startService({ dataDir });
  expect(second.apiKey).toBe(first.apiKey);
  expect((await caller(second)(`/v1/models/${id}/content`)).status).toBe(200);
  await second.stop();
  const third = await startService({ dataDir, apiKey: "a-key-of-my-own" });
  expect((await caller(third)("/v1/models")).status).toBe(200);
  expect((await caller({ ...third, apiKey: first.apiKey })("/v1/models")).status).toBe(200);
  await third.stop();
  await rm(dataDir, { recursive: true });
});

it("a data folder serves one process at a time", async () => {
  const service = await newService();
  await expect(startService({ dataDir: service.dataDir })).rejects.toThrow(/in use by process/);
  await service.end();
});

it("a stopped service answers nothing", async () => {
  const service = await newService();
  await service.end();
  await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
});

it("the limit of requests can be set", async () => {
  const service = await newService({ requestsPerMinute: 3 });
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) statuses.push((await service.call("/v1/models")).status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429, 429, 429]);
  await service.end();
});

it("the hourly sweep of wrangler.toml fires while the service runs", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
  try {
    const service = await newService();
    const db = await service.bindings.getD1Database("DB", "hone");
    const left = async () =>
      (await db.prepare("SELECT count(*) AS n FROM temporary_objects").first<{ n: number }>())?.n;
    await db
      .prepare(
        "INSERT INTO temporary_objects (object_key, owner, expires_at) VALUES ('blobs/x', 'x', 1)",
      )
      .run();
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    await expect.poll(left).toBe(0);
    await service.end();
  } finally {
    vi.useRealTimers();
  }
});
