/** @file All pages of the console in Chromium: signing in, keys, runners, jobs; small, dark, and by name. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { digitsNpz } from "../../../examples/demo/digits-dataset.ts";
import type { Job } from "../../../sdk/typescript/src/index.ts";
import { linearFile } from "../../worker/service/models.ts";
import { type Browser, startChromium } from "../chromium.ts";
import { type Console, ended } from "./open-console.ts";
import { faintTexts, nameless } from "./accessibility.ts";

/** @param served once the tests run */
export function servesItsPages(served: () => Console): void {
  let small: Browser;
  /** One of each kind. */
  let pages: [path: string, heading: string][];
  let modelPath: string;

  beforeAll(async () => {
    small = await startChromium({ width: 360, dark: true });
    const { hone } = served();
    const name = "a-model-whose-name-is-longer-than-a-small-screen-is-wide.onnx";
    const model = await hone.models.create(await linearFile(256, 64), { name });
    const dataset = await hone.datasets.create(digitsNpz({ perDigit: 2 }), { name: "digits.npz" });
    const { id } = await hone.models.quantize(model.id, { method: "weight_only", bits: 4 });
    await hone.jobs.wait(id);
    const { api } = hone;
    const steps = [{ op: "prune" as const, amount: 0.5 }, { op: "verify" as const }];
    const params = { path: { id: model.id } };
    const { data } = await api.POST("/v1/models/{id}/optimize", { params, body: { steps } });
    const optimized = data as Job;
    await hone.jobs.wait(optimized.id);
    const { data: hook } = await api.POST("/v1/hooks", {
      body: { name: "releases", source: "standard", model: { url: "{url}" }, steps },
    });
    const { data: tested } = await api.POST("/v1/hooks/{id}/test", {
      params: { path: { id: hook?.id ?? "" } },
      body: { event: "", payload: { note: "there is no url" }, dry_run: false },
    });
    const { data: endpoint } = await api.POST("/v1/webhook-endpoints", {
      body: { url: "http://127.0.0.1:9/", events: ["runner.lost"], description: "" },
    });
    await api.POST("/v1/webhook-endpoints/{id}/test", {
      params: { path: { id: endpoint?.id ?? "" } },
    });
    modelPath = `models/${model.id}`;
    pages = [
      ["compress", "Compress a model"],
      [`compress/${model.id}`, `Compress ${name}`],
      [`compress/${model.id}/${id}`, `Compress ${name}`],
      ["models", "Models"],
      [modelPath, name],
      [`${modelPath}/graph?node=0`, `Graph of ${name}`],
      ["train", "Train"],
      ["datasets", "Datasets"],
      [`datasets/${dataset.id}`, "digits.npz"],
      ["jobs", "Jobs"],
      [`jobs/${id}`, "Quantize"],
      [`jobs/${optimized.id}`, "Optimize"],
      ["recipes", "Recipes"],
      ["runners", "Runners"],
      ["hooks", "Hooks"],
      [`hooks/${hook?.id}`, "releases"],
      [`hooks/${hook?.id}/${tested?.deliveries[0]}`, "Delivery"],
      ["webhooks", "Webhooks"],
      [`webhooks/${endpoint?.id}`, "Endpoint"],
      ["keys", "Keys"],
      ["no-such-page", "There is no such page"],
    ];
  });
  afterAll(async () => {
    await small.close();
  });
  afterEach(() => {
    expect(small.errors.splice(0)).toEqual([]);
  });

  it("a key opens it, stays in the tab, and leaves the address", async () => {
    const { browser, service } = served();
    const page = await browser.open(service.url);
    await page.getByLabel("API key").fill("hone_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("There is no such key.").waitFor();
    expect(browser.errors.splice(0)).toEqual([expect.stringContaining("401")]);
    await page.goto(`${service.url}/#key=${service.apiKey}`);
    await page.reload();
    await page.getByRole("navigation").waitFor();
    expect(page.url()).not.toContain(service.apiKey);
    await page.reload();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate("sessionStorage.length + localStorage.length")).toBe(0);
    await page.close();
  });

  it("every page fits 360 pixels, and reads in the dark", async () => {
    const page = await served().open("", small);
    for (const [path, heading] of pages) {
      await page.goto(`${served().service.url}/#/${path}`);
      await settled(page, heading);
      const width = await page.evaluate("document.scrollingElement.scrollWidth");
      expect(width, path).toBeLessThanOrEqual(360);
      expect(await faintTexts(page), path).toEqual([]);
    }
    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(background).toBe("rgb(21, 23, 26)");
    await page.close();
  });

  it("every page reads in the light, names all that can be operated, and says where one is", async () => {
    const page = await served().open();
    for (const [path, heading] of pages) {
      await page.goto(`${served().service.url}/#/${path}`);
      await settled(page, heading);
      for (const details of await page.locator("details > summary").all()) await details.click();
      expect(await faintTexts(page), path).toEqual([]);
      expect(await nameless(page), path).toEqual([]);
      expect(await page.locator("h1").count(), path).toBe(1);
      expect(await page.title(), path).toBe(`${heading} · Hone`);
      expect(await page.locator("[style]").count(), path).toBe(0);
    }
    await page.close();
  });

  it.each([1280, 360])("at %i pixels nothing moves while a page fills", async (width) => {
    const page = await served().browser.open("about:blank");
    await page.setViewportSize({ width, height: 900 });
    await page.addInitScript(WATCH_SHIFTS);
    // What comes at once is painted at once: a network is slower.
    await page.route("**/v1/**", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await route.continue();
    });
    const shifts: Record<string, number> = {};
    for (const [path, heading] of pages) {
      // A page of its own each time: shifts are counted from its first paint.
      await page.goto("about:blank");
      await page.goto(`${served().service.url}/#key=${served().service.apiKey}`);
      await page.getByRole("navigation").waitFor();
      await page.goto(`${served().service.url}/#/${path}`);
      await settled(page, heading);
      await page.waitForTimeout(300);
      shifts[path] = await page.evaluate<number>("window.shifted");
    }
    const moving = Object.entries(shifts).filter(([, shift]) => shift >= MOST_SHIFT);
    expect(moving).toEqual([]);
    await page.close();
  });

  it("a key is shown once, opens the workspace, and is deleted", async () => {
    const page = await served().open("keys");
    await page.getByLabel("Name").fill("ci");
    await page.getByLabel("admin").uncheck();
    await page.getByLabel("It works").selectOption("a day");
    await page.getByRole("button", { name: "Make a key" }).click();
    const secret = (await page.getByTestId("secret").textContent()) ?? "";
    const headers = { Authorization: `Bearer ${secret}` };
    const status = async () =>
      (await fetch(`${served().service.url}/v1/models`, { headers })).status;
    expect(await status()).toBe(200);
    expect((await fetch(`${served().service.url}/v1/keys`, { headers })).status).toBe(403);
    await page.reload();
    const row = page.getByRole("row", { name: /^ci .* read, write / });
    await row.getByRole("button", { name: "Rotate" }).click();
    await row.getByRole("button", { name: /^Rotate: / }).click();
    const rotated = (await page.getByTestId("secret").textContent()) ?? "";
    expect(rotated).not.toBe(secret);
    headers.Authorization = `Bearer ${rotated}`;
    expect(await status()).toBe(200);
    await page.reload();
    await row.getByRole("button", { name: "Delete" }).click();
    expect(await page.getByTestId("secret").count()).toBe(0);
    await row.getByRole("button", { name: /^Delete: / }).click();
    await row.waitFor({ state: "detached" });
    expect(await status()).toBe(401);
    await page.close();
  });

  it("jobs are filtered by the address", async () => {
    const page = await served().open("jobs");
    const quantized = page.getByRole("row", { name: /^Quantize job_.* succeeded/ });
    await quantized.first().waitFor();
    await page.getByLabel("Operation").selectOption("calibrate");
    await page.getByRole("cell", { name: "None." }).waitFor();
    expect(page.url()).toContain("#/jobs?operation=calibrate");
    await page.goBack();
    await quantized
      .first()
      .getByRole("link", { name: /^Quantize/ })
      .click();
    await ended(page, "Succeeded");
    await page.close();
  });

  it("a runner joins by the link, measures, is drained; its token is revoked", async () => {
    const page = await served().open("runners");
    await page.getByRole("button", { name: "Make a token" }).click();
    const command = await page.getByLabel("Command").textContent();
    expect(command).toMatch(/^hone runner --url http\S+ --token hrt_\S+$/);
    const link = (await page.getByTestId("runner-link").getAttribute("href")) ?? "";
    const tab = await served().browser.open(link);
    await tab.getByRole("button", { name: "Start" }).click();
    const row = page.getByRole("row", { name: /webgpu · google swiftshader/ });
    await row.getByText("idle").waitFor();

    const measuring = await served().open(modelPath);
    await measuring.getByLabel("Backend", { exact: true }).selectOption("webgpu");
    await measuring.getByRole("button", { name: "Benchmark" }).click();
    await ended(measuring, "Succeeded");
    await measuring.getByRole("table", { name: "Median time of one run" }).waitFor();
    await row.getByRole("cell", { name: /^[\d.]+ \/ min$/ }).waitFor();

    await row.getByRole("button", { name: /^Drain / }).click();
    await tab.getByText("ended", { exact: true }).waitFor();
    await row.getByText("gone").waitFor();
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("button", { name: /^Revoke, and/ }).click();
    await page.getByRole("cell", { name: /^revoked / }).waitFor();
    const { data } = await served().hone.api.GET("/v1/runner-tokens");
    expect(data?.data[0]?.revoked_at).not.toBeNull();
    await page
      .getByRole("table", { name: "What happened to runners" })
      .getByText("connected", { exact: true })
      .first()
      .waitFor();
    for (const each of [tab, measuring, page]) await each.close();
  });
}

/** Of one page, in all; 0.1 is called good. */
const MOST_SHIFT = 0.05;

/** In the page: the sum of its layout shifts, as https://web.dev/articles/cls has it, but over all sessions. */
const WATCH_SHIFTS = `
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
`;

/** The page is there, and nothing of it is being loaded. */
async function settled(page: Page, heading: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  const loading = async () => await page.getByText(/^(Loading|Reading)/).count();
  await expect.poll(loading, { timeout: 20_000 }).toBe(0);
}
