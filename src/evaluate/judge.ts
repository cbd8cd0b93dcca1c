/** @file Metrics over batches, in double precision: alike wherever the outputs are. */
import { DataType } from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import { elements } from "../verify/elements.ts";
import { crossEntropy, hasClasses, klDivergence, topAccuracy } from "./class-metrics.ts";
import { binaryAccuracy, binaryCrossEntropy, regression } from "./element-metrics.ts";
import {
  type JudgedBatch,
  type Metric,
  type MetricOptions,
  type Tally,
  topCount,
} from "./metric.ts";

const FLOATS: readonly DataType[] = [
  DataType.float32,
  DataType.float64,
  DataType.float16,
  DataType.bfloat16,
];

export class Judge {
  readonly #options: MetricOptions;
  readonly #totals: Map<Metric, Tally>;

  constructor(metrics: readonly Metric[], options: MetricOptions) {
    this.#options = options;
    this.#totals = new Map(metrics.map((metric) => [metric, { sum: 0, count: 0 }]));
  }

  /**
   * @param output [rows, …], of any element type that is a number
   * @param label [rows, …], as the dataset has it
   * @throws RangeError where a metric does not fit the shapes, or a label is no class
   */
  add(output: HostTensor, label: HostTensor): void {
    const [rows = 0, ...outputRow] = output.dims;
    const batch: JudgedBatch = {
      rows,
      output: elements(output),
      outputRow,
      label: elements(label),
      labelRow: label.dims.slice(1),
      labelIsFloat: FLOATS.includes(label.dataType),
    };
    for (const [metric, total] of this.#totals) {
      const { sum, count } = judged(batch, metric, this.#options);
      total.sum += sum;
      total.count += count;
    }
  }

  /** NaN where nothing counted. */
  values(): Record<string, number> {
    const value = ([metric, { sum, count }]: [Metric, Tally]) => [metric, sum / count];
    return Object.fromEntries(Array.from(this.#totals, value));
  }
}

function judged(batch: JudgedBatch, metric: Metric, options: MetricOptions): Tally {
  switch (metric) {
    case "cross_entropy":
      return crossEntropy(batch, options);
    case "kl_divergence":
      return klDivergence(batch, options);
    case "binary_cross_entropy":
      return binaryCrossEntropy(batch, options);
    case "mse":
    case "l1":
    case "huber":
      return regression(batch, metric, options.delta);
    default: {
      const k = topCount(metric);
      if (k === undefined && !hasClasses(batch)) return binaryAccuracy(batch, options);
      return topAccuracy(batch, k ?? 1, options);
    }
  }
}
