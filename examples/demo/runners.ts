/**
 * @file `npm run demo -- runners`: one training on three ranks, by a Chromium tab on WebGPU, a Node runner and the service
 * itself; the tab is killed in mid-training. Without chromium a second Node runner takes its part, and is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { TrainingJob } from "../../sdk/typescript/src/generated/schema.d.ts";
import { Hone } from "../../sdk/typescript/src/index.ts";
import { table } from "../../src/cli/table.ts";
import { startService } from "../../src/embedded/host.ts";
import { digitModelFile } from "./digit-model.ts";
import { uploadDigits } from "./digits-dataset.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
/** SwiftShader as the WebGPU adapter where there is no GPU. */
const CHROMIUM_ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-dawn-features=disable_workgroup_init",
];
const STEPS = 40;
/** The step after which the tab dies. */
const KILLED_AT = 8;
const POLL_MS = 200;

interface Part {
  what: string;
  /** At once, in the midst of its work. */
  kill(): Promise<void>;
}

export async function demoRunners(): Promise<void> {
  const service = await startService();
  const hone = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
  const parts: Part[] = [];
  try {
    const { id: model } = await hone.models.create(await digitModelFile());
    const { id: dataset } = await uploadDigits(hone, { perDigit: 100 });
    const options = { model, dataset, steps: STEPS, batch_size: 16, world_size: 3 };
    console.log(`\n${STEPS} steps of a digit classifier on three ranks.\n`);
    const alone = await over(hone, await train(hone, { ...options, executor: "edge" }));

    const tab = existsSync(CHROMIUM)
      ? await openTab(service.url, await newToken(hone))
      : startNode(service.url, await newToken(hone), "second Node runner");
    parts.push(tab, startNode(service.url, await newToken(hone), "Node runner"));
    await until(async () => (await idle(hone)) === 2);
    console.log(`Connected: ${parts.map(({ what }) => what).join(" and ")}.`);

    const id = await train(hone, { ...options, executor: "auto" });
    await until(async () => {
      const { progress, state } = await jobOf(hone, id);
      const onRunners = progress.ranks.filter(({ executor }) => executor !== "edge");
      return state !== "running" || (progress.step >= KILLED_AT && onRunners.length === 2);
    });
    const midway = await jobOf(hone, id);
    await tab.kill();
    console.log(`Step ${midway.progress.step}: the ${tab.what} is killed.\n`);
    const together = await over(hone, id);
    console.log(
      table(
        ["training", "state", "steps", "attempts", "loss", "ranks computed by"],
        [
          row("the service alone", alone),
          row("before the kill", midway),
          row("at its end", together),
        ],
      ),
    );
    if (together.state !== "succeeded" || together.progress.step !== alone.progress.step) {
      throw new Error(`the training did not survive: ${JSON.stringify(together.error)}`);
    }
  } finally {
    for (const part of parts) await part.kill();
    await service.stop();
  }
}

async function train(
  hone: Hone,
  body: {
    model: string;
    dataset: string;
    steps: number;
    batch_size: number;
    world_size: number;
    executor: "edge" | "auto";
  },
): Promise<string> {
  const optimizer = { type: "adam", lr: 0.003 } as const;
  const { data } = await hone.api.POST("/v1/training-jobs", { body: { ...body, optimizer } });
  return (data as TrainingJob).id;
}

async function jobOf(hone: Hone, id: string): Promise<TrainingJob> {
  const { data } = await hone.api.GET("/v1/jobs/{id}", { params: { path: { id } } });
  return data as TrainingJob;
}

async function over(hone: Hone, id: string): Promise<TrainingJob> {
  return (await hone.jobs.wait(id)) as TrainingJob;
}

function row(what: string, { state, attempts, result, progress }: TrainingJob): string[] {
  const executors = progress.ranks.map(({ executor }) => (executor === "edge" ? "edge" : "runner"));
  const loss = result?.metrics?.loss ?? progress.loss;
  return [
    what,
    state,
    String(progress.step),
    String(attempts),
    loss?.toFixed(4) ?? "",
    executors.join(", "),
  ];
}

async function newToken(hone: Hone): Promise<string> {
  const { data } = await hone.api.POST("/v1/runner-tokens", { body: { name: "demo" } });
  if (!data) throw new Error("the service gives no runner token");
  return data.secret;
}

async function idle(hone: Hone): Promise<number> {
  const { data } = await hone.api.GET("/v1/runners");
  return data?.data.filter(({ state }) => state === "idle").length ?? 0;
}

async function openTab(url: string, token: string): Promise<Part> {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS });
  const page = await browser.newPage();
  await page.goto(`${url}/runner#token=${token}`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByText("idle", { exact: true }).waitFor({ timeout: 60_000 });
  const device = await page.getByTestId("device").textContent();
  return { what: `Chromium tab (${device})`, kill: async () => await browser.close() };
}

function startNode(url: string, token: string, what: string): Part {
  const args = ["src/cli/hone.ts", "runner", "--url", url, "--name", what, "--backend", "cpu"];
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { ...process.env, HONE_RUNNER_TOKEN: token },
    stdio: "ignore",
  });
  return {
    what,
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("it did not come to pass within two minutes");
}
