/** @file One training on a Chromium tab with WebGPU, a native Node runner and the service itself, in each mode. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, newTrainingHost, type TrainingHost, until } from "../e2e/training-host.ts";
import { type Browser, hasChromium, startChromium } from "./chromium.ts";

const STEPS = 15;
const OPTIONS = {
  steps: STEPS,
  batch_size: 8,
  world_size: 3,
  optimizer: { type: "sgd", lr: 0.05 },
};

describe.skipIf(!hasChromium)("a tab, a host and the edge", () => {
  let host: TrainingHost;
  let browser: Browser;
  let ids: string[];

  beforeAll(async () => {
    host = await newTrainingHost();
    browser = await startChromium();
    const { secret } = await host.post("/v1/runner-tokens", { name: "tab" });
    const page = await browser.open(`${host.url}/runner#token=${secret}`);
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("idle", { exact: true }).waitFor();
    expect(await page.getByTestId("device").textContent()).toMatch(/^webgpu/);
    await host.start("host", "cpu");
    ids = (await host.get("/v1/runners")).data.map(({ id }: Json) => id);
  });
  afterAll(async () => {
    await browser.close();
    await host.end();
  });

  it.each([
    // The edge's and the devices' kernels add in other orders.
    [{ mode: "sync" }, 1e-3],
    [{ mode: "local_sgd", local_steps: 5, runners: { compression: "float16" } }, 1e-3],
    // Nor do pushes come in the same order.
    [{ mode: "async", max_staleness: 4 }, 0.3],
  ])("train together by %j to the edge's loss", async (mode, tolerance) => {
    const alone = await host.over(await host.train({ ...OPTIONS, ...mode, executor: "edge" }));
    await until(async () => (await host.get("/v1/runners")).data.every(isIdle));
    const id = await host.train({ ...OPTIONS, ...mode, executor: "auto" });
    const seen = new Set<string>();
    await until(async () => {
      const { state, progress } = await host.get(`/v1/jobs/${id}`);
      for (const { executor } of progress.ranks) seen.add(executor);
      return !["queued", "running"].includes(state);
    });
    const job = await host.over(id);
    for (const each of [alone, job]) {
      expect(each).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
      expect(each.result.step).toBe(STEPS);
    }
    expect([...seen].toSorted()).toEqual(["edge", ...ids].toSorted());
    const [here, there] = [alone.result.metrics, job.result.metrics];
    expect(Math.abs(there.validation_loss - here.validation_loss)).toBeLessThan(tolerance);
    expect(browser.errors).toEqual([]);
  });
});

const isIdle = ({ state }: Json): boolean => state === "idle";
