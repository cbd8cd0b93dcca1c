/**
 * @file Whose CPU seconds a Worker's are, by V8's profiler through the inspector: of the script, of WebAssembly, of the
 * collector, or of workerd itself (HTTP, streams, the R2 binding).
 *
 * The profiler samples by the clock, also while another process has the core. So only shares are taken from it, of the
 * time in which the isolate was not idle, and seconds from the thread that ran it.
 */
import { readdirSync } from "node:fs";
import { cpuOf, type Isolate } from "./isolate.ts";

const INTERVAL_US = 500;

export interface Shares {
  script_cpu_s: number;
  wasm_cpu_s: number;
  collector_cpu_s: number;
  /** What is native: workerd's own work. */
  native_cpu_s: number;
  /** The script's functions that took most, in CPU seconds. */
  hottest: Record<string, number>;
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

/** @param pid workerd's process, which does nothing else meanwhile */
export async function profiled<T>(
  isolate: Isolate,
  pid: number,
  work: () => Promise<T>,
): Promise<{ value: T; shares: Shares }> {
  await isolate.send("Profiler.enable");
  await isolate.send("Profiler.setSamplingInterval", { interval: INTERVAL_US });
  await isolate.send("Profiler.start");
  const before = threadCpu(pid);
  const value = await work();
  const spent = [...threadCpu(pid)].map(([thread, cpu]) => cpu - (before.get(thread) ?? 0));
  const { profile } = await isolate.send<{ profile: Profile }>("Profiler.stop");
  await isolate.send("Profiler.disable");
  return { value, shares: sharesOf(profile, Math.max(...spent)) };
}

function sharesOf({ nodes, samples, timeDeltas }: Profile, cpuSeconds: number): Shares {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = { script: 0, wasm: 0, collector: 0, native: 0, idle: 0 };
  const functions = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const { functionName = "", url = "" } = frames.get(id) ?? {};
    const time = timeDeltas[index] ?? 0;
    const kind = kindOf(functionName, url);
    times[kind] += time;
    if (kind === "idle") return;
    total += time;
    if (kind === "script" || kind === "wasm") {
      functions.set(functionName, (functions.get(functionName) ?? 0) + time);
    }
  });
  const seconds = (time: number): number => (cpuSeconds * time) / Math.max(total, 1);
  const hottest = [...functions].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return {
    script_cpu_s: seconds(times.script),
    wasm_cpu_s: seconds(times.wasm),
    collector_cpu_s: seconds(times.collector),
    native_cpu_s: seconds(times.native),
    hottest: Object.fromEntries(hottest.map(([name, time]) => [name, seconds(time)])),
  };
}

function kindOf(functionName: string, url: string) {
  if (functionName === "(idle)") return "idle";
  if (functionName === "(garbage collector)") return "collector";
  if (url.startsWith("wasm:")) return "wasm";
  return url === "" ? "native" : "script";
}

/** CPU seconds that each thread has spent (Linux). */
function threadCpu(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  return new Map(readdirSync(folder).map((thread) => [thread, cpuOf(`${folder}/${thread}/stat`)]));
}
