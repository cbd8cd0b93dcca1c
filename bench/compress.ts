/**
 * @file File-to-file compression, whole processes, against the Python tools where python3 has them.
 *
 * Each pair runs in turn, three times; medians of CPU seconds. The last line on stdout is JSON.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { buildSync } from "esbuild";
import { FileSink } from "../src/node/file-source.ts";
import { planModel } from "../src/onnx/write-model.ts";
import { MEDIUM, transformer } from "./transformer.ts";

const FOLDER = ".cache/bench";
const MODEL = `${FOLDER}/transformer.onnx`;
const OURS = `${FOLDER}/compress-one.mjs`;
const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
const ROUNDS = 3;

interface Figures {
  cpu_s: number;
  peak_mb: number;
  wall_s: number;
}

const CASES = [
  {
    name: "int8-dynamic-430mb",
    task: "dynamic",
    operation: "quantize",
    options: { method: "dynamic" },
    peer: "onnxruntime 1.30 quantize_dynamic",
  },
  {
    name: "int4-weight-only-430mb",
    task: "nbits",
    operation: "quantize",
    options: { method: "weight_only", bits: 4 },
    peer: "onnxruntime 1.30 MatMulNBitsQuantizer",
  },
  {
    name: "float16-430mb",
    task: "float16",
    operation: "quantize",
    options: { method: "float16", keep_io_types: true },
    peer: "onnxruntime 1.30 convert_float_to_float16",
  },
  {
    name: "prune-global-430mb",
    task: "prune",
    operation: "prune",
    options: { method: "global_unstructured", amount: 0.5 },
    peer: "numpy load-threshold-save",
  },
] as const;

mkdirSync(FOLDER, { recursive: true });
buildSync({
  entryPoints: ["bench/compress-one.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  outfile: OURS,
  logLevel: "error",
});
copyFileSync("src/kernels/kernels.wasm", `${FOLDER}/kernels.wasm`);
if (!existsSync(MODEL)) {
  console.error("generating the model");
  const plan = planModel(transformer(MEDIUM));
  const sink = new FileSink(MODEL);
  await plan.write(sink);
  sink.close();
}
const hasPeer = peerInstalled();
if (!hasPeer)
  console.error(`${PYTHON} has no onnxruntime: peers are null (HONE_BENCH_PYTHON names another)`);

const rows = CASES.map(({ name, task, operation, options, peer }) => {
  const ours: Figures[] = [];
  const peers: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    console.error(`${name}: round ${round + 1} of ${ROUNDS}`);
    ours.push(
      run(process.execPath, [
        OURS,
        operation,
        JSON.stringify(options),
        MODEL,
        `${FOLDER}/ours.onnx`,
      ]),
    );
    if (hasPeer) peers.push(...runPeer(task));
  }
  const median = (figures: Figures[], key: keyof Figures) =>
    figures.length === 0
      ? null
      : (figures.map((figure) => figure[key]).sort((a, b) => a - b)[
          Math.floor(figures.length / 2)
        ] ?? null);
  const oursCpu = median(ours, "cpu_s") ?? Number.NaN;
  const peerCpu = median(peers, "cpu_s");
  return {
    case: name,
    bytes: statSync(MODEL).size,
    ours_s: oursCpu,
    ours_wall_s: median(ours, "wall_s"),
    peer,
    peer_s: peerCpu,
    peer_wall_s: median(peers, "wall_s"),
    speedup: peerCpu === null ? null : peerCpu / oursCpu,
    peak_mb: median(ours, "peak_mb"),
    peer_peak_mb: median(peers, "peak_mb"),
  };
});
console.log(JSON.stringify({ bench: "compress", unit: "CPU seconds of the whole process", rows }));

function run(command: string, args: readonly string[]): Figures {
  for (const side of ["ours", "peer"]) rmSync(`${FOLDER}/${side}.onnx`, { force: true });
  const output = execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Figures;
}

/** Nothing where the tool fails, for want of a package it needs: the row's peer is then null. */
function runPeer(task: string): Figures[] {
  try {
    return [run(PYTHON, ["bench/compress_peer.py", task, MODEL, `${FOLDER}/peer.onnx`])];
  } catch (error) {
    console.error(
      `${task}: the Python tool failed: ${error instanceof Error ? error.message : ""}`,
    );
    return [];
  }
}

function peerInstalled(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import onnx, onnxruntime"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
