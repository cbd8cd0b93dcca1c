/**
 * @file A model whose gradients are exact in closed form: a perceptron with one hidden layer, mean squared
 * error, and a running mean of its inputs as the buffer; computed in float64, given in float32.
 */
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Batch, BatchLoss, Executor } from "../../../../src/train/executor.ts";
import { type Layout, makeLayout } from "../../../../src/train/layout.ts";

const INPUTS = 5;
const HIDDEN = 7;
const MOMENTUM = 0.1;

const parameter = (name: string, dims: number[], masked = false) => ({
  name,
  dims,
  gradient: `grad_${name}`,
  decay: dims.length > 1,
  masked,
});

/** The last layer's parameters first; small buckets, so that there are several. */
export const layout: Layout = makeLayout(
  [
    parameter("w2", [HIDDEN, 1], true),
    parameter("b2", [1]),
    parameter("w1", [INPUTS, HIDDEN], true),
    parameter("b1", [HIDDEN]),
  ],
  [{ name: "mean", dims: [INPUTS], gradient: "next_mean" }],
  8,
);

const AT = Object.fromEntries(layout.entries.map(({ name, offset }) => [name, offset]));
const at = (name: string): number => AT[name] ?? NaN;

/** Rows of numbers in [−1, 1), the same for the same row; the target is a fixed function of them. */
export function toyRow(row: number): { x: number[]; y: number } {
  const x = Array.from({ length: INPUTS }, (_, i) => Math.sin(row * 12.9898 + i * 78.233));
  const [a = 0, b = 0, c = 0] = x;
  return { x, y: a * b + 0.5 * c };
}

export function toyBatch(rows: readonly number[], seed = 0): Batch {
  const bytes = new Uint8Array(Float32Array.from(rows).buffer);
  return {
    rows: rows.length,
    fields: { row: { dataType: DataType.float32, dims: [rows.length], bytes } },
    seed,
  };
}

/** Some pseudo-random weights; every third of the matrices is 0, for masks. */
export function toyVector(): Float32Array {
  return Float32Array.from({ length: layout.length }, (_, i) =>
    i >= layout.parameters || i % 3 === 0 ? 0 : Math.sin(i * 3.7) * 0.6,
  );
}

export function toyLayout(masked: boolean): Layout {
  return masked
    ? layout
    : { ...layout, entries: layout.entries.map((entry) => ({ ...entry, masked: false })) };
}

/** @param spoil replaces a batch's loss and gradients by NaN */
export function toyExecutor(spoil: (batch: Batch) => boolean = () => false): Executor {
  return {
    async gradients(vector, batch, { into, weight, ready }) {
      const sums = new Float64Array(layout.length);
      const loss = backward(vector, rowsOf(batch), sums);
      const scale = spoil(batch) ? NaN : 1;
      for (const { offset, length } of layout.entries) {
        for (let i = offset; i < offset + length; i++) {
          const value = Math.fround((sums[i] ?? 0) * scale);
          into[i] = (into[i] ?? 0) + Math.fround(weight * value);
        }
        ready?.(offset + length);
        // another rank's turn, in the middle of the gradients
        await Promise.resolve();
      }
      return { ...loss, loss: loss.loss * scale };
    },
    evaluate: async (vector, batch) =>
      backward(vector, rowsOf(batch), new Float64Array(layout.length)),
  };
}

function rowsOf({ fields }: Batch): number[] {
  const bytes = fields["row"]?.bytes ?? new Uint8Array();
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
}

function backward(v: Float32Array, rows: readonly number[], sums: Float64Array): BatchLoss {
  const p = (name: string, i: number): number => v[at(name) + i] ?? 0;
  const add = (name: string, i: number, value: number): void => {
    sums[at(name) + i] = (sums[at(name) + i] ?? 0) + value / rows.length;
  };
  let loss = 0;
  let correct = 0;
  for (const row of rows) {
    const { x, y } = toyRow(row);
    const hidden = Array.from({ length: HIDDEN }, (_, j) =>
      Math.tanh(x.reduce((sum, value, i) => sum + value * p("w1", i * HIDDEN + j), p("b1", j))),
    );
    const error = hidden.reduce((sum, h, j) => sum + h * p("w2", j), p("b2", 0)) - y;
    loss += error ** 2 / rows.length;
    if (Math.abs(error) < 0.25) correct++;
    add("b2", 0, 2 * error);
    for (const [j, h] of hidden.entries()) {
      add("w2", j, 2 * error * h);
      const inner = 2 * error * p("w2", j) * (1 - h * h);
      add("b1", j, inner);
      for (const [i, value] of x.entries()) add("w1", i * HIDDEN + j, inner * value);
    }
    for (const [i, value] of x.entries()) {
      add("mean", i, (1 - MOMENTUM) * p("mean", i) + MOMENTUM * value);
    }
  }
  return { loss, correct, count: rows.length };
}
