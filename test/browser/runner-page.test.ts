/** @file The page /runner in Chromium: it computes on WebGPU, shows what it does, and hands back what it does not finish. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newService, type TestService } from "../e2e/service.ts";
import { linearFile } from "../worker/service/models.ts";
import { type Browser, hasChromium, startChromium } from "./chromium.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

describe.skipIf(!hasChromium)("the runner page", () => {
  let service: TestService;
  let browser: Browser;
  let token: string;

  beforeAll(async () => {
    service = await newService();
    browser = await startChromium();
    token = (await post("/v1/runner-tokens", { name: "tab" })).secret;
  });
  afterAll(async () => {
    await browser.close();
    await service.end();
  });

  async function post(path: string, body: unknown): Promise<Json> {
    const response = await service.call(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Prefer: "wait=60" },
      body: JSON.stringify(body),
    });
    return await response.json();
  }

  async function store(rows: number): Promise<string> {
    const body = await linearFile(rows, 64);
    const response = await service.call("/v1/models", { method: "POST", body });
    return ((await response.json()) as Json).id;
  }

  async function over(id: string): Promise<Json> {
    for (;;) {
      const job = (await (await service.call(`/v1/jobs/${id}`)).json()) as Json;
      if (!["queued", "running"].includes(job.state)) return job;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  it("computes on WebGPU under the strict policy, and stops when it is told", async () => {
    const page = await browser.open(`${service.url}/runner#token=${token}`);
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("idle", { exact: true }).waitFor();
    expect(await page.getByTestId("device").textContent()).toMatch(/^webgpu · google swiftshader/);
    const original = await store(64);
    const quantized = await post(`/v1/models/${original}/quantize`, { method: "weight_only" });
    const job = await post(`/v1/models/${quantized.result.model_id}/verify`, {
      original,
      backend: "webgpu",
    });
    const { state, result } = await over(job.id);
    expect(state).toBe("succeeded");
    expect(result).toMatchObject({ backend: "webgpu", loaded: true, ran: true });
    expect(result.min_sqnr_db).toBeGreaterThan(35);
    expect(await page.getByTestId("done").textContent()).toBe("1");
    await page.getByRole("button", { name: "Finish and stop" }).click();
    await page.getByText("ended", { exact: true }).waitFor();
    await page.close();
    expect(browser.errors).toEqual([]);
  });

  it("a tab that is closed in its work loses nothing: the task goes to the next", async () => {
    const first = await browser.open(`${service.url}/runner#token=${token}`);
    await first.getByRole("button", { name: "Start" }).click();
    await first.getByText("idle", { exact: true }).waitFor();
    const model = await store(512);
    const { id } = await post(`/v1/models/${model}/benchmark`, {
      backend: "webgpu",
      executor: "runner",
      runs: 3,
    }).catch(() => ({ id: "" }));
    await first.close();
    const second = await browser.open(`${service.url}/runner#token=${token}`);
    await second.getByRole("button", { name: "Start" }).click();
    expect(await over(id)).toMatchObject({ state: "succeeded", result: { backend: "webgpu" } });
    await second.close();
    expect(browser.errors).toEqual([]);
  });

  it("says why a token is not accepted", async () => {
    const page = await browser.open(`${service.url}/runner`);
    await page.getByLabel("Runner token").fill("hrt_wrong");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("there is no such runner token").waitFor();
    await page.close();
  });
});
