/**
 * @file From opening /runner to the first task, in a real Chromium whose cache is warm: the second start of the same
 * profile. What the first task takes beside loading and running, which is mostly the compilation of shaders, is told apart.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Service } from "../src/embedded/host.ts";
import { Hone } from "../sdk/typescript/src/index.ts";
import { randomPerceptron } from "./perceptron.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-dawn-features=disable_workgroup_init",
];
const PARAMETERS = 100_000;
const TIMEOUT_MS = 90_000;

export interface PageFigures {
  /** From the navigation to the button, to a runner that is idle, to its first task, and to that one's end. */
  cold: PageTimes;
  warm: PageTimes;
}

interface PageTimes {
  open_ms: number;
  idle_ms: number;
  first_task_ms: number;
  done_ms: number;
  /** Of the task, without its session's load and its measured runs. */
  shaders_ms: number;
}

/** `undefined` without Chromium. */
export async function timePage(service: Service): Promise<PageFigures | undefined> {
  if (!existsSync(CHROMIUM)) return undefined;
  const hone = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
  const { id: model } = await hone.models.create(await randomPerceptron(PARAMETERS));
  const profile = await mkdtemp(join(tmpdir(), "hone-page-"));
  try {
    const cold = await timeStart(profile, service.url, hone, model);
    return { cold, warm: await timeStart(profile, service.url, hone, model) };
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
}

/** A browser of its own, as after a restart of the machine; the profile's cache stays. */
async function timeStart(
  profile: string,
  url: string,
  hone: Hone,
  model: string,
): Promise<PageTimes> {
  const { data: token } = await hone.api.POST("/v1/runner-tokens", { body: { name: "page" } });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: ARGUMENTS,
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    const start = performance.now();
    const since = () => Math.round(performance.now() - start);
    await page.goto(`${url}/runner#token=${token?.secret ?? ""}`);
    await page.getByRole("button", { name: "Start" }).click();
    const open_ms = since();
    await page.getByText("idle", { exact: true }).waitFor();
    const idle_ms = since();
    const job = await hone.api.POST("/v1/models/{id}/benchmark", {
      params: { path: { id: model } },
      body: { executor: "runner", backend: "webgpu", runs: 3 },
    });
    await page.getByTestId("doing").filter({ hasText: "benchmark" }).waitFor();
    const first_task_ms = since();
    const { result } = (await hone.jobs.wait((job.data as { id: string }).id)) as {
      result: { result: { load_ms: number; median_ms: number; runs: number } } | null;
    };
    if (!result) throw new Error("bench: the page's first task failed");
    const done_ms = since();
    const { load_ms, median_ms, runs } = result.result;
    const shaders_ms = Math.round(done_ms - first_task_ms - load_ms - runs * median_ms);
    await page.getByRole("button", { name: "Finish and stop" }).click();
    await page.getByText("ended", { exact: true }).waitFor();
    return { open_ms, idle_ms, first_task_ms, done_ms, shaders_ms };
  } finally {
    await context.close();
  }
}
