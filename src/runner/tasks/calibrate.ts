/** @file The range, and if asked the histogram, of each output over a dataset: what static quantization needs of activations. */
import { z } from "zod";
import { elements } from "../../verify/elements.ts";
import type { TaskProgram } from "../perform.ts";
import { TaskFault } from "../task-kit.ts";
import { batches, RowsSpec } from "./rows.ts";
import { readSpec, requireSource } from "./spec.ts";

export const CalibrateSpec = RowsSpec.extend({
  backend: z.string().optional(),
  /** Bins from -absmax to absmax; 0 for ranges alone. A second pass over the rows fills them. */
  bins: z.number().int().min(0).max(4096).default(0),
});

interface Range {
  min: number;
  max: number;
  histogram?: number[];
}

export const calibrate: TaskProgram = async ({ backend, runtime }, task, kit) => {
  const spec = readSpec(CalibrateSpec, task);
  const session = await runtime.load(await kit.read(requireSource(task, "model")));
  const values: Record<string, Range> = {};
  const passes = spec.bins > 0 ? 2 : 1;
  try {
    for await (const { feeds, done } of batches(task, spec, kit)) {
      for (const [name, tensor] of Object.entries(await session.run(feeds))) {
        const range = (values[name] ??= { min: Infinity, max: -Infinity });
        const numbers = elements(tensor);
        for (let i = 0; i < numbers.length; i++) {
          const number = numbers[i] ?? 0;
          if (!Number.isFinite(number)) throw new TaskFault(`"${name}" has NaN or Inf`);
          if (number < range.min) range.min = number;
          if (number > range.max) range.max = number;
        }
      }
      kit.onProgress(done / passes, "finding ranges");
    }
    if (spec.bins > 0) {
      for (const range of Object.values(values)) {
        range.histogram = Array.from({ length: spec.bins }, () => 0);
      }
      for await (const { feeds, done } of batches(task, spec, kit)) {
        for (const [name, tensor] of Object.entries(await session.run(feeds))) {
          const range = values[name];
          if (range) count(elements(tensor), range);
        }
        kit.onProgress(0.5 + done / 2, "counting");
      }
    }
  } finally {
    await session.release();
  }
  return { backend, rows: spec.rows, values };
};

/** Equal steps from -absmax to absmax; the largest belongs to the last. */
function count(numbers: ArrayLike<number>, { min, max, histogram = [] }: Range): void {
  const limit = Math.max(-min, max);
  const bins = histogram.length;
  for (let i = 0; i < numbers.length; i++) {
    const place = limit > 0 ? (((numbers[i] ?? 0) + limit) / (2 * limit)) * bins : bins / 2;
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(place)));
    histogram[bin] = (histogram[bin] ?? 0) + 1;
  }
}
