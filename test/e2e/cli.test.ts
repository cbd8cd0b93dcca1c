/** @file `hone` as a process: exit codes, files, flags; small models in one call, others in parts and by a job. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FileSink, FileSource } from "../../src/node/file-source.ts";
import { readModel } from "../../src/onnx/read-model.ts";
import { planModel } from "../../src/onnx/write-model.ts";
import { linearFile, untidyFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");

let service: TestService;
let folder: string;

beforeAll(async () => {
  service = await newService();
  folder = join(service.dataDir, "cli");
  await mkdir(folder);
  await writeFile(file("model.onnx"), await linearFile(256, 128));
});
afterAll(async () => await service.end());

const file = (name: string) => join(folder, name);

interface Ended {
  code: number;
  out: string;
  err: string;
}

async function hone(...args: string[]): Promise<Ended> {
  const env = { ...process.env, HONE_URL: service.url, HONE_API_KEY: service.apiKey };
  return await new Promise((resolve) => {
    execFile(process.execPath, [HONE, ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

it("a small model is compressed in one call, and a table says how", async () => {
  const output = file("small.onnx");
  const ended = await hone("quantize", file("model.onnx"), "-o", output, "-m", "weight_only");
  expect(ended).toMatchObject({ code: 0, err: "" });
  expect(ended.out).toMatch(/weight_only +131 KB +\d+\.\d KB +\d\.\d+ × +\d\d\.\d dB/);
  const headline = await hone(
    "prune",
    file("model.onnx"),
    "-o",
    output,
    "--amount",
    "10",
    "--json",
  );
  expect(JSON.parse(headline.out)).toMatchObject({ operation: "prune", changed: 1 });
});

it("simplify shows the nodes before and after, and takes shapes as JSON", async () => {
  const input = file("untidy.onnx");
  await writeFile(input, await untidyFile());
  const options = ["--input-shapes", '{"x": [3, 64]}', "--skip-passes", "fold_shapes"];
  const ended = await hone("simplify", input, "-o", file("simple.onnx"), ...options);
  expect(ended).toMatchObject({ code: 0, err: "" });
  expect(ended.out).toMatch(/nodes\n.*5 → 2/s);
  const refused = await hone("simplify", input, "-o", "x", "--passes", "fold_shape");
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/fold_shapes/);
});

it("flags are the API's options", async () => {
  const nodes = ["--nodes-to-exclude", "fc", "--nodes-to-exclude", "nobody,nothing"];
  const ended = await hone("quantize", "--no-verify", file("model.onnx"), "-o", "x", ...nodes);
  expect(ended.code).toBe(1);
  expect(ended.err).toMatch(/no node "nobody".*\n +\(unknown_name\)\n/);
});

it("a model with external data goes in parts and by a job, and comes back", async () => {
  await writeFile(file("whole.onnx"), await linearFile(1500, 1000));
  const source = new FileSource(file("whole.onnx"));
  const plan = planModel(await readModel(source), { external: { location: "ext.bin" } });
  const sinks = [new FileSink(file("ext.onnx")), new FileSink(file("ext.bin"))];
  await plan.write(sinks[0] as FileSink);
  await plan.external?.write(sinks[1] as FileSink);
  for (const sink of sinks) sink.close();
  source.close();
  const args = ["-m", "weight_only", "--json"];
  const parts = await hone("quantize", file("ext.onnx"), "-o", file("parts.onnx"), ...args);
  expect(parts).toMatchObject({ code: 0, err: "" });
  const whole = await hone("quantize", file("whole.onnx"), "-o", file("again.onnx"), ...args);
  expect(whole.code).toBe(0);
  const again = await readFile(file("again.onnx"));
  const byJob = await readFile(file("parts.onnx"));
  expect(byJob.subarray(0, again.length)).toEqual(again);
  expect(byJob.subarray(again.length).toString()).toContain("hone.lineage");
  const left = (await (await service.call("/v1/models")).json()) as { data: unknown[] };
  expect(left.data).toEqual([]);
});

it("what is refused leaves no file, and says why", async () => {
  await writeFile(file("page.onnx"), "<html>not found</html>");
  const refused = await hone("quantize", file("page.onnx"), "-o", file("none.onnx"));
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/^hone: onnx: the file is HTML.*\n +\(not_onnx\)\n/);
  expect(existsSync(file("none.onnx"))).toBe(false);
  expect((await hone("quantize", file("no such"), "-o", "x")).err).toMatch(/no such file/);
  expect((await hone("quantize", file("model.onnx"))).code).toBe(2);
  expect((await hone("compress")).code).toBe(2);
});

it("inspect reads the model here and sends nothing", async () => {
  const ended = await hone("inspect", file("model.onnx"));
  expect(ended.code).toBe(0);
  expect(ended.out).toMatch(/inputs +x: float32/);
  expect(ended.out).toMatch(/float32 \[256, 128\] +131 KB +\d+\.\d %/);
  const json = await hone("inspect", file("model.onnx"), "--json");
  expect(JSON.parse(json.out)).toMatchObject({ nodes: expect.any(Number), opset: 17 });
});
