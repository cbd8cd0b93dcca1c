/** @file Metrics of a model on a dataset's rows: what it answers to them, held against their labels. */
import { z } from "zod";
import { Judge } from "../../evaluate/judge.ts";
import { type Metric, METRIC_PATTERN } from "../../evaluate/metric.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import type { TaskProgram } from "../perform.ts";
import { TaskFault } from "../task-kit.ts";
import { batches, RowsSpec } from "./rows.ts";
import { readSpec, requireSource } from "./spec.ts";

/** The feed that no input of the model takes. */
export const LABEL = "hone.label";

export const EvaluateSpec = RowsSpec.extend({
  backend: z.string().optional(),
  /** The model's output that is judged. */
  output: z.string(),
  metrics: z.array(z.string().regex(METRIC_PATTERN)).min(1).max(16),
  from_logits: z.boolean().optional(),
  class_axis: z.number().int().optional(),
  ignore_index: z.number().int().optional(),
  delta: z.number().gt(0).optional(),
});

/** What is told of the progress comes this far apart. */
const TELL_MS = 250;

export const evaluate: TaskProgram = async ({ backend, runtime }, task, kit) => {
  const spec = readSpec(EvaluateSpec, task);
  kit.onProgress(0, "fetching the model");
  const session = await runtime.load(await kit.read(requireSource(task, "model")));
  const judge = new Judge(spec.metrics as Metric[], spec);
  let toldAt = 0;
  try {
    for await (const { feeds, rows, done } of batches(task, spec, kit)) {
      const { [LABEL]: label, ...inputs } = feeds;
      const output = (await session.run(inputs))[spec.output];
      if (!output || !label) {
        throw new TaskFault(`there is no "${output ? LABEL : spec.output}"`);
      }
      judging(judge, firstRows(output, label, rows), firstRows(label, label, rows));
      if (Date.now() - toldAt < TELL_MS) continue;
      toldAt = Date.now();
      kit.onProgress(done, "evaluating");
    }
  } finally {
    await session.release();
  }
  const metrics = judge.values();
  const wrong = Object.entries(metrics).find(([, value]) => !Number.isFinite(value));
  if (wrong)
    throw new TaskFault(
      `${wrong[0]} is ${wrong[1]}: the outputs have NaN or Inf, or no label counts`,
    );
  return { backend, rows: spec.rows, metrics };
};

/** What does not fit, does so on every runner. */
function judging(judge: Judge, output: HostTensor, label: HostTensor): void {
  try {
    judge.add(output, label);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TaskFault(error.message.replace(/^(evaluate|train): /, ""));
  }
}

/** Those that are the dataset's, of a batch that was made longer. */
function firstRows(tensor: HostTensor, label: HostTensor, rows: number): HostTensor {
  const [have = 0, ...sizes] = tensor.dims;
  const fed = label.dims[0] ?? 0;
  if (have !== fed) {
    const dims = tensor.dims.join(", ");
    throw new TaskFault(`the output is [${dims}] for ${fed} rows: it has not one row for each`);
  }
  if (rows === fed) return tensor;
  const bytes = tensor.bytes.subarray(0, (tensor.bytes.length / fed) * rows);
  return { ...tensor, dims: [rows, ...sizes], bytes };
}
