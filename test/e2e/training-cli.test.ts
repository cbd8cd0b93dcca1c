/** @file `hone train` as a process: flags to options, a line an epoch, the trained model in a file. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitAccuracy, heldOutDigits } from "../../examples/demo/digit-accuracy.ts";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { newService, type TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");

let service: TestService;
let folder: string;

beforeAll(async () => {
  service = await newService();
  folder = join(service.dataDir, "cli");
  await mkdir(folder);
  await writeFile(file("digits.onnx"), await digitModelFile());
  await writeFile(file("digits.npz"), digitsNpz({ perDigit: 80 }));
});
afterAll(async () => await service.end());

const file = (name: string) => join(folder, name);

async function train(...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, HONE_URL: service.url, HONE_API_KEY: service.apiKey };
  const files = [file("digits.onnx"), "--data", file("digits.npz"), "-o", file("trained.onnx")];
  return await new Promise((resolve) => {
    execFile(process.execPath, [HONE, "train", ...files, ...flags], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

it("a file and rows in, a trained file out", async () => {
  const flags = ["--epochs", "4", "--batch-size", "20", "--world-size", "2", "--lr", "0.004"];
  const ended = await train(...flags, "--validation", "0.1", "-O", "clip_norm=5");
  expect(ended.code).toBe(0);
  expect(ended.err.match(/^epoch \d+ {2}step \d+ {2}loss [\d.]+/gm)).toHaveLength(4);
  expect(ended.out).toMatch(/trained\.onnx +2\d\d KB +72/);
  const held = heldOutDigits(20, 80);
  const accuracy = await digitAccuracy(await readFile(file("trained.onnx")), held);
  expect(accuracy).toBeGreaterThan(0.6);
});

it("what the service refuses is on stderr, with the code", async () => {
  const ended = await train("--label", "lable");
  expect(ended.code).toBe(1);
  expect(ended.err).toMatch(/hone: .*no field "lable"; nearest: "label"/);
  expect(ended.err).toMatch(/\(dataset_mismatch\)/);
});
