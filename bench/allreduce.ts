/**
 * @file allreduce between Durable Objects in one local workerd, against torch.distributed's gloo on loopback and
 * against adding up the same vectors once in one thread.
 *
 * The contestants take turns, several times; medians of wall milliseconds. The last line on stdout is JSON.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { buildSync } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

const FOLDER = resolve(".cache/bench/allreduce");
const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
const TURNS = 5;
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
  times: number[];
  bytesSent?: number[];
}

const miniflare = startWorker();
const url = await miniflare.ready;
const hasPeer = peerInstalled();
if (!hasPeer)
  console.error(`${PYTHON} has no torch: peers are null (HONE_BENCH_PYTHON names another)`);
let groups = 0;

const rows = [];
for (const config of CASES) {
  const times = {
    lent: [] as number[],
    ring: [] as number[],
    crossing: [] as number[],
    peer: [] as number[],
    sum: [] as number[],
  };
  for (let turn = 0; turn < TURNS; turn++) {
    console.error(`${nameOf(config)}: turn ${turn + 1} of ${TURNS}`);
    times.lent.push(...(await allreduce(config, "direct", true)));
    if (hasPeer) times.peer.push(...gloo(config));
    times.crossing.push(...(await allreduce(config, "direct", false)));
    times.sum.push(
      ...(await ask("sum-once", { ...config, algorithm: "direct", lend: true })).times,
    );
    times.ring.push(...(await allreduce(config, "ring", true)));
  }
  const ours = median(times.lent) ?? Number.NaN;
  const peer = median(times.peer);
  const sum = median(times.sum) ?? Number.NaN;
  rows.push({
    case: nameOf(config),
    ours_ms: ours,
    ours_ring_ms: median(times.ring),
    ours_all_by_rpc_ms: median(times.crossing),
    peer: "torch.distributed gloo, loopback",
    peer_ms: peer,
    sum_once_ms: sum,
    times_peer: peer === null ? null : ours / peer,
    times_sum_once: ours / sum,
  });
}
await miniflare.dispose();
console.log(JSON.stringify({ bench: "allreduce", unit: "wall milliseconds", rows }));

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

/** Times of some rounds among fresh objects, after one that is checked: same bits on all, and no byte too many. */
async function allreduce(
  config: Case,
  algorithm: "direct" | "ring",
  lend: boolean,
): Promise<number[]> {
  const { times, bytesSent } = await ask("allreduce", { ...config, algorithm, lend });
  const least = (2 * (config.worldSize - 1) * config.length * 4) / config.worldSize;
  if (!bytesSent?.every((bytes) => bytes === least)) {
    throw new Error(`bench: ${bytesSent?.join(", ")} bytes sent, ${least} are needed`);
  }
  return times;
}

async function ask(
  op: string,
  setup: Case & { algorithm: "direct" | "ring"; lend: boolean },
): Promise<Timed> {
  const response = await fetch(url, {
    method: "POST",
    // the peer's turn blocks this process, and an idle connection would be closed meanwhile
    headers: { connection: "close" },
    body: JSON.stringify({
      op,
      rounds: ROUNDS,
      setup: { ...setup, group: `group-${groups++}`, codec: "none" },
    }),
  });
  if (!response.ok) throw new Error(`bench: ${await response.text()}`);
  return (await response.json()) as Timed;
}

function gloo({ worldSize, length }: Case): number[] {
  const output = execFileSync(
    PYTHON,
    ["bench/allreduce_peer.py", String(worldSize), String(length), String(ROUNDS)],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  return (JSON.parse(output.trim().split("\n").at(-1) ?? "") as Timed).times;
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

function median(times: readonly number[]): number | null {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? null;
}
