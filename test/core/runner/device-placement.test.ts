/** @file A training step on WebGPU runs on the device as a whole: ONNX Runtime places none of its nodes on the CPU. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, it } from "vitest";
import type { DeviceStep } from "./device-steps.ts";

/** Debian's chromium brings a Vulkan driver that needs no GPU; libvulkan1 loads it. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Of a model's two graphs: how many nodes are on WebGPU, and which are elsewhere. */
interface Placement {
  onDevice: number;
  elsewhere: string[];
}

/** Of what ONNX Runtime logs of its node placements, by the line that names the model. */
function placements(log: string): Map<string, Placement> {
  const found = new Map<string, Placement>();
  let current: Placement | undefined;
  let isDevice = true;
  for (const line of log.split("\n")) {
    const [, model] = /^== (.*)$/.exec(line) ?? [];
    if (model !== undefined) found.set(model, (current = { onDevice: 0, elsewhere: [] }));
    const [, said = ""] = /VerifyEachNodeIsAssignedToAnEp\]\s+(.*)$/.exec(line) ?? [];
    if (!current || said === "" || said === "Node placements") continue;
    const [, provider, count] = /placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(said) ?? [];
    if (provider === undefined) {
      if (!isDevice) current.elsewhere.push(said);
      continue;
    }
    isDevice = provider === "WebGpuExecutionProvider";
    if (isDevice) current.onDevice += Number(count);
  }
  return found;
}

describe.skipIf(!existsSync(DRIVER))("on WebGPU", () => {
  let steps: Record<string, DeviceStep>;
  let placed: Map<string, Placement>;

  beforeAll(async () => {
    const path = join(await mkdtemp(join(tmpdir(), "hone-log-")), "log");
    await using file = await open(path, "w");
    const child = spawn(process.execPath, [join(import.meta.dirname, "device-steps.ts")], {
      env: { ...process.env, VK_ICD_FILENAMES: DRIVER },
      // ONNX Runtime ends where a pipe is full: its log is a file.
      stdio: ["ignore", "pipe", file.fd],
    });
    const out = await text(child.stdout as Readable);
    const log = await readFile(path, "utf8");
    const [last] = out.trim().split("\n").slice(-1);
    await rm(dirname(path), { recursive: true });
    if (!last) throw new Error(log.slice(-2000));
    steps = JSON.parse(last);
    placed = placements(log);
  });

  const cases = ["MLP", "LeNet", "ResNet block", "transformer block"].flatMap((name) => [
    `${name}, labels of int64`,
    `${name}, labels of int32`,
  ]);

  it.each(cases)("%s: no node of the step is on the CPU", (name) => {
    expect(placed.get(name)?.elsewhere).toEqual([]);
    expect(placed.get(name)?.onDevice).toBeGreaterThan(40);
  });

  it.each(cases)("%s: the gradients are the CPU's", (name) => {
    expect(steps[name]?.error).toBeLessThan(2e-5);
    expect(steps[name]?.least).toBeGreaterThan(1e-4);
    expect(steps[name]?.loss).toBeGreaterThan(0.5);
  });
});
