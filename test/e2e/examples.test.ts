/** @file The examples do what they say: the scripts run, and so does the workflow's own step. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { linearFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples/recipes");

let service: TestService;
let folder: string;

beforeAll(async () => {
  service = await newService();
  folder = await mkdtemp(join(tmpdir(), "hone-examples-"));
  await mkdir(join(folder, "models"));
  await writeFile(join(folder, "models/linear.onnx"), await linearFile(64, 64));
});
afterAll(async () => {
  await service.end();
  await rm(folder, { recursive: true, force: true });
});

async function bash(...args: string[]) {
  const env = { ...process.env, HONE_URL: service.url, HONE_API_KEY: service.apiKey };
  return await promisify(execFile)("bash", args, { cwd: folder, env });
}

const size = async (path: string) => (await stat(join(folder, path))).size;

it("optimize.sh prunes, quantizes and verifies, and downloads the result", async () => {
  const { stderr } = await bash(join(EXAMPLES, "optimize.sh"), "models/linear.onnx", "small.onnx");
  expect(stderr).toContain("verify: done");
  expect(await size("small.onnx")).toBeLessThan(await size("models/linear.onnx"));
});

it("the workflow quantizes every model of the release", async () => {
  const workflow = parse(await readFile(join(EXAMPLES, "quantize-on-release.yml"), "utf8"));
  expect(workflow.on).toEqual({ release: { types: ["published"] } });
  const steps: { name: string; run: string }[] = workflow.jobs.quantize.steps;
  expect(steps.map(({ name }) => name)).toEqual(["Download", "Quantize", "Upload"]);
  // As GitHub runs it: https://docs.github.com/en/actions/reference/workflow-syntax-for-github-actions
  await bash("-eo", "pipefail", "-c", steps[1]?.run ?? "");
  expect(await size("quantized/linear.int8.onnx")).toBeLessThan(await size("models/linear.onnx"));
  for (const { run } of steps) await bash("-n", "-c", run);
});

it("huggingface-hook.sh makes a hook and says its address and secret", async () => {
  const { stdout } = await bash(join(EXAMPLES, "huggingface-hook.sh"), "acme/tiny", "model.onnx");
  const [, url = "", secret = ""] = /URL: (\S+)\nSecret: (\S+)/.exec(stdout) ?? [];
  const payload = { event: { action: "update", scope: "discussion" } };
  const answer = await fetch(url, {
    method: "POST",
    headers: { "X-Webhook-Secret": secret },
    body: JSON.stringify(payload),
  });
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ decision: "ignored" });
});
