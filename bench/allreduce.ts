/**
 * @file allreduce between Durable Objects in one local workerd, against torch.distributed's gloo on loopback and
 * against adding up the same vectors once in one thread.
 *
 * The contestants take turns, several times; medians of wall milliseconds, and of CPU milliseconds over all
 * processes, which other work on the machine disturbs less. The last line on stdout is JSON.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { buildSync } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

const FOLDER = resolve(".cache/bench/allreduce");
const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
const TURNS = 3;
const ROUNDS = 5;
const CASES = [
  { worldSize: 2, length: 8_000_000 },
  { worldSize: 4, length: 8_000_000 },
  { worldSize: 2, length: 25_000_000 },
  { worldSize: 4, length: 25_000_000 },
];

interface Case {
  worldSize: number;
  length: number;
}

interface Timed {
  /** Wall milliseconds of each round. */
  times: number[];
  /** CPU milliseconds of a round, over all processes; null where the system does not tell. */
  cpu: number | null;
}

class Contestant {
  readonly #times: number[] = [];
  readonly #cpu: number[] = [];

  add({ times, cpu }: Timed): void {
    this.#times.push(...times);
    if (cpu !== null) this.#cpu.push(cpu);
  }

  get ms(): number | null {
    return median(this.#times);
  }

  get cpuMs(): number | null {
    return median(this.#cpu);
  }
}

/** Of /proc/PID/stat: a hundred ticks a second on every Linux there is. */
const TICK_MS = 10;

const miniflare = startWorker();
const url = await miniflare.ready;
const hasPeer = peerInstalled();
if (!hasPeer)
  console.error(`${PYTHON} has no torch: peers are null (HONE_BENCH_PYTHON names another)`);
let groups = 0;

const rows = [];
for (const config of CASES) {
  const [lent, ring, crossing, sum, peer] = Array.from({ length: 5 }, () => new Contestant());
  for (let turn = 0; turn < TURNS; turn++) {
    console.error(`${nameOf(config)}: turn ${turn + 1} of ${TURNS}`);
    lent!.add(await allreduce(config, "direct", true));
    if (hasPeer) peer!.add(gloo(config));
    crossing!.add(await allreduce(config, "direct", false));
    sum!.add(await sumOnce(config));
    ring!.add(await allreduce(config, "ring", true));
  }
  rows.push({
    case: nameOf(config),
    ours_s: seconds(lent!.ms),
    peer: "torch.distributed gloo, loopback",
    peer_s: seconds(peer!.ms),
    speedup: ratio(peer!.ms, lent!.ms),
    peak_mb: null,
    ours_cpu_ms: lent!.cpuMs,
    ours_ring_ms: ring!.ms,
    ours_all_by_rpc_ms: crossing!.ms,
    ours_all_by_rpc_cpu_ms: crossing!.cpuMs,
    peer_cpu_ms: peer!.cpuMs,
    sum_once_ms: sum!.ms,
    times_peer_cpu: ratio(lent!.cpuMs, peer!.cpuMs),
    times_sum_once: ratio(lent!.ms, sum!.ms),
  });
}
await miniflare.dispose();
console.log(
  JSON.stringify({
    bench: "allreduce",
    unit: "wall seconds; milliseconds where the name says so",
    rows,
  }),
);

/** The worker, bundled with the service's own collectives and transport. */
function startWorker(): Miniflare {
  mkdirSync(FOLDER, { recursive: true });
  const script = `${FOLDER}/worker.js`;
  buildSync({
    entryPoints: ["bench/allreduce-worker.ts"],
    bundle: true,
    format: "esm",
    outfile: script,
    external: ["cloudflare:workers", "*.wasm"],
    logLevel: "error",
  });
  // esbuild leaves the path as it was written: seen from the source, not from the bundle
  const bundled = readFileSync(script, "utf8").replace(/"[^"]*kernels\.wasm"/, '"./kernels.wasm"');
  writeFileSync(script, bundled);
  copyFileSync("src/kernels/kernels.wasm", `${FOLDER}/kernels.wasm`);
  return new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.NONE),
      cf: false,
      telemetry: { enabled: false },
      workers: [
        {
          name: "allreduce",
          compatibilityDate: "2026-10-01",
          compatibilityFlags: ["nodejs_compat"],
          modulesRoot: FOLDER,
          modules: [
            { type: "ESModule", path: script },
            { type: "CompiledWasm", path: `${FOLDER}/kernels.wasm` },
          ],
          durableObjects: { RANK: { className: "Rank", useSQLite: true } },
        },
      ],
    }),
  );
}

/** Some rounds among fresh objects, after one that is checked: same bits on all, and no byte too many. */
async function allreduce(
  config: Case,
  algorithm: "direct" | "ring",
  lend: boolean,
): Promise<Timed> {
  const setup = { ...config, algorithm, lend, group: `group-${groups++}`, codec: "none" };
  const { bytesSent } = await ask<{ bytesSent: number[] }>("form", setup);
  const least = (2 * (config.worldSize - 1) * config.length * 4) / config.worldSize;
  if (!bytesSent.every((bytes) => bytes === least)) {
    throw new Error(`bench: ${bytesSent.join(", ")} bytes sent, ${least} are needed`);
  }
  const before = childrenCpuMs();
  const { times } = await ask<{ times: number[] }>("allreduce", setup);
  const after = childrenCpuMs();
  await ask("end", setup);
  return { times, cpu: before === null || after === null ? null : (after - before) / ROUNDS };
}

async function sumOnce(config: Case): Promise<Timed> {
  const setup = { ...config, algorithm: "direct", lend: true, group: `group-${groups++}` };
  return { ...(await ask<{ times: number[] }>("sum-once", setup)), cpu: null };
}

async function ask<T>(op: string, setup: object): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    // the peer's turn blocks this process, and an idle connection would be closed meanwhile
    headers: { connection: "close" },
    body: JSON.stringify({ op, rounds: ROUNDS, setup }),
  });
  if (!response.ok) throw new Error(`bench: ${await response.text()}`);
  return (await response.json()) as T;
}

/** CPU of this process's children: workerd alone, while the peer does not run. */
function childrenCpuMs(): number | null {
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
    const ticks = children
      .trim()
      .split(" ")
      .map((pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [])
      .map((fields) => Number(fields[11]) + Number(fields[12]));
    return TICK_MS * ticks.reduce((sum, value) => sum + value, 0);
  } catch {
    return null;
  }
}

function gloo({ worldSize, length }: Case): Timed {
  const output = execFileSync(
    PYTHON,
    ["bench/allreduce_peer.py", String(worldSize), String(length), String(ROUNDS)],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Timed;
}

function peerInstalled(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import torch.distributed"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function nameOf({ worldSize, length }: Case): string {
  return `${length / 1e6}M floats, ${worldSize} objects`;
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function ratio(ours: number | null, other: number | null): number | null {
  return ours === null || other === null ? null : ours / other;
}

function median(times: readonly number[]): number | null {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? null;
}
