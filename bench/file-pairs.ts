/**
 * @file Conversions file to file, whole processes, ours and Python's in turn.
 *
 * Ours is bench/compress-one.ts, which calls `compressFile` as any program does, as one bundled file without flags, with
 * V8's code cache kept between runs (as Python keeps its bytecode). Beside it runs the floor: bench/io-floor.ts.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { buildSync } from "esbuild";
import { type BenchModel, FOLDER } from "./models.ts";

const OURS = `${FOLDER}/compress-one.mjs`;
const OUTPUT = `${FOLDER}/output`;
const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
const FLOOR = `${FOLDER}/io-floor.mjs`;

export interface Case {
  name: string;
  /** Of bench/compress_peer.py. */
  task: string;
  operation: "quantize" | "prune";
  options: Readonly<Record<string, unknown>>;
  peer: string;
}

interface Figures {
  cpu_s: number;
  peak_mb: number;
  wall_s: number;
}

/** Runs each case `rounds` times, pairs in turn; rows of medians. */
export function runPairs(cases: readonly Case[], model: BenchModel, rounds: number): unknown[] {
  build();
  const hasPeer = peerInstalled();
  if (!hasPeer)
    console.error(`${PYTHON} has no onnxruntime: peers are null (HONE_BENCH_PYTHON names another)`);
  const rows = cases.map((each) => {
    const ours: Figures[] = [];
    const peers: Figures[] = [];
    const floors: Figures[] = [];
    // the first run fills the code cache
    runOurs(each, model);
    for (let round = 0; round < rounds; round++) {
      console.error(`${each.name}: round ${round + 1} of ${rounds}`);
      ours.push(runOurs(each, model));
      floors.push(runFloor(outputBytes(), model));
      if (hasPeer) peers.push(...runPeer(each, model));
    }
    const oursCpu = median(ours, "cpu_s") ?? NaN;
    const peerCpu = median(peers, "cpu_s");
    return {
      case: each.name,
      bytes: model.bytes,
      ours_s: oursCpu,
      ours_wall_s: median(ours, "wall_s"),
      floor_s: median(floors, "cpu_s"),
      peer: each.peer,
      peer_s: peerCpu,
      peer_wall_s: median(peers, "wall_s"),
      speedup: peerCpu === null ? null : peerCpu / oursCpu,
      peak_mb: median(ours, "peak_mb"),
      peer_peak_mb: median(peers, "peak_mb"),
    };
  });
  rmSync(OUTPUT, { recursive: true, force: true });
  return rows;
}

function build(): void {
  mkdirSync(FOLDER, { recursive: true });
  buildSync({
    entryPoints: ["bench/compress-one.ts", "bench/io-floor.ts"],
    bundle: true,
    platform: "node",
    format: "esm",
    outdir: FOLDER,
    outExtension: { ".js": ".mjs" },
    logLevel: "error",
  });
  copyFileSync("src/kernels/kernels.wasm", `${FOLDER}/kernels.wasm`);
}

function runOurs({ operation, options }: Case, { path }: BenchModel): Figures {
  const args = [OURS, operation, JSON.stringify(options), path, `${OUTPUT}/ours.onnx`];
  return run(process.execPath, args);
}

/** The same reads and writes, and nothing else. */
function runFloor(bytes: number, { path }: BenchModel): Figures {
  const inputs = [path, `${path}.data`].filter((file) => existsSync(file));
  return run(process.execPath, [FLOOR, `${OUTPUT}/floor`, String(bytes), ...inputs]);
}

function outputBytes(): number {
  const files = readdirSync(OUTPUT);
  return files.reduce((sum, file) => sum + statSync(`${OUTPUT}/${file}`).size, 0);
}

/** Nothing where the tool fails, for want of a package it needs: the row's peer is then null. */
function runPeer({ task }: Case, { path }: BenchModel): Figures[] {
  try {
    return [run(PYTHON, ["bench/compress_peer.py", task, path, `${OUTPUT}/peer.onnx`])];
  } catch (error) {
    console.error(
      `${task}: the Python tool failed: ${error instanceof Error ? error.message : ""}`,
    );
    return [];
  }
}

/** Each output is a new file: overwriting one costs the file system more. */
function run(command: string, args: readonly string[]): Figures {
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  const output = execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, NODE_COMPILE_CACHE: `${FOLDER}/code-cache` },
  });
  if (readdirSync(OUTPUT).length === 0) throw new Error(`${command} wrote nothing`);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Figures;
}

function median(figures: readonly Figures[], key: keyof Figures): number | null {
  const sorted = figures.map((figure) => figure[key]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

function peerInstalled(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import onnx, onnxruntime"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
