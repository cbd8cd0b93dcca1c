/** @file A dataset's rows as a task's batches: each field a source of rows back to back, read by range. */
import { z } from "zod";
import { DataType, elementCount, rawByteLength } from "../../onnx/data-type.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import type { Task } from "../protocol.ts";
import type { TaskKit } from "../task-kit.ts";
import { requireSource } from "./spec.ts";

/** One model input, and the source whose rows feed it. */
const Feed = z.object({
  source: z.string(),
  data_type: z
    .number()
    .int()
    .refine((type): type is DataType => Object.values(DataType).includes(type as DataType)),
  /** Of one row. */
  shape: z.array(z.number().int().nonnegative()).max(8),
});

export const RowsSpec = z.object({
  feeds: z.record(z.string(), Feed),
  rows: z.number().int().positive(),
  batch: z.number().int().positive(),
});

export async function* batches(
  task: Task,
  { feeds, rows, batch }: z.infer<typeof RowsSpec>,
  kit: TaskKit,
): AsyncGenerator<{ feeds: Record<string, HostTensor>; rows: number; done: number }> {
  for (let start = 0; start < rows; start += batch) {
    kit.signal.throwIfAborted();
    const end = Math.min(rows, start + batch);
    const tensors: Record<string, HostTensor> = {};
    for (const [input, { source, data_type: dataType, shape }] of Object.entries(feeds)) {
      const size = rawByteLength(dataType, elementCount(shape));
      const range = { start: start * size, end: end * size };
      const bytes = await kit.read(requireSource(task, source), range);
      tensors[input] = { dataType, dims: [end - start, ...shape], bytes };
    }
    yield { feeds: tensors, rows: end - start, done: end / rows };
  }
}
