/** @file How long a model takes on this device, and how long its original takes. */
import { z } from "zod";
import { readModel } from "../../onnx/read-model.ts";
import { MemorySource } from "../../onnx/source.ts";
import { SyntheticInputs } from "../../verify/synthetic.ts";
import type { HostTensor, Runtime } from "../../runtime/runtime.ts";
import type { TaskProgram } from "../perform.ts";
import { TaskFault } from "../task-kit.ts";
import { readSpec, requireSource } from "./spec.ts";

export const BenchmarkSpec = z.object({
  backend: z.string().optional(),
  /** Timed runs; as many more, up to five, warm up (shaders compile, caches fill). */
  runs: z.number().int().min(3).max(1000).default(20),
  /** Stops early, once there are three runs. */
  max_ms: z.number().positive().default(10_000),
});
type BenchmarkSpec = z.infer<typeof BenchmarkSpec>;

const MAX_WARM_UP = 5;
const LEAST_RUNS = 3;

export const benchmark: TaskProgram = async ({ backend, name, runtime }, task, kit) => {
  const spec = readSpec(BenchmarkSpec, task);
  const models = ["result", ...(task.sources["original"] ? ["original"] : [])];
  const latencies: Record<string, Latency | null> = { original: null };
  let feeds: Feeds | undefined;
  for (const [index, which] of models.entries()) {
    const doing = which === "result" ? "timing the model" : "timing its original";
    kit.onProgress(index / models.length, doing);
    const bytes = await kit.read(requireSource(task, which));
    feeds ??= await madeUpInputs(bytes);
    latencies[which] = await timeModel(runtime, bytes, feeds, spec, kit.signal);
  }
  return { backend, device: name, ...latencies };
};

type Feeds = (Record<string, HostTensor> | undefined)[];

interface Latency {
  runs: number;
  median_ms: number;
  p90_ms: number;
  min_ms: number;
  load_ms: number;
}

/** The ways that the model might be fed; the first that runs is taken. */
async function madeUpInputs(bytes: Uint8Array): Promise<Feeds> {
  const synthetic = await SyntheticInputs.of(await readModel(new MemorySource(bytes)));
  return synthetic.choices.map((sizes) => synthetic.feeds(sizes, 0));
}

async function timeModel(
  runtime: Runtime,
  bytes: Uint8Array,
  choices: Feeds,
  { runs, max_ms }: BenchmarkSpec,
  signal: AbortSignal,
): Promise<Latency> {
  const start = performance.now();
  const session = await runtime.load(bytes);
  const loadMs = performance.now() - start;
  try {
    const feeds = await firstThatRuns(choices, async (each) => await session.run(each));
    for (let run = 1; run < Math.min(runs, MAX_WARM_UP); run++) await session.run(feeds);
    const times: number[] = [];
    const begun = performance.now();
    while (times.length < runs) {
      signal.throwIfAborted();
      const before = performance.now();
      await session.run(feeds);
      times.push(performance.now() - before);
      if (times.length >= LEAST_RUNS && performance.now() - begun > max_ms) break;
    }
    times.sort((a, b) => a - b);
    const at = (share: number) =>
      times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
    return {
      runs: times.length,
      median_ms: at(0.5),
      p90_ms: at(0.9),
      min_ms: at(0),
      load_ms: loadMs,
    };
  } finally {
    await session.release();
  }
}

/** Sizes that do not fit fail at the first run; then the next are tried, and those that failed are forgotten. */
async function firstThatRuns(
  choices: Feeds,
  run: (feeds: Record<string, HostTensor>) => Promise<unknown>,
): Promise<Record<string, HostTensor>> {
  let first: unknown;
  for (const [index, feeds] of choices.entries()) {
    if (!feeds) continue;
    try {
      await run(feeds);
      return feeds;
    } catch (error) {
      first ??= error;
      choices[index] = undefined;
    }
  }
  throw new TaskFault(
    `no made-up input runs: ${first instanceof Error ? first.message : String(first)}`,
  );
}
