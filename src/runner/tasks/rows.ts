/** @file A dataset's rows as a task's batches: each field a source of rows back to back, read by range. */
import { z } from "zod";
import { type DatasetDescription, type FieldType, rowBytes } from "../../data/dataset.ts";
import type { RowSource } from "../../data/rows.ts";
import { splitRows } from "../../data/split.ts";
import { DataType, dataTypeName } from "../../onnx/data-type.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import { elements, tensorOf } from "../../verify/elements.ts";
import type { Task } from "../protocol.ts";
import type { TaskKit } from "../task-kit.ts";
import { requireSource } from "./spec.ts";

/** Read at once, of one field. */
const BLOCK_BYTES = 1 << 20;

const dataType = z
  .number()
  .int()
  .refine((type): type is DataType => Object.values(DataType).includes(type as DataType));

/** One model input, and the source whose rows feed it. */
const Feed = z.object({
  source: z.string(),
  data_type: dataType,
  /** Of one row, as it is fed. */
  shape: z.array(z.number().int().nonnegative()).max(8),
  /** The element type that it is fed in, where that is another one. */
  as: dataType.optional(),
  /** What its numbers are multiplied by. */
  scale: z.number().optional(),
});
type Feed = z.infer<typeof Feed>;

export const RowsSpec = z.object({
  feeds: z.record(z.string(), Feed),
  /** How many rows there are to go through. */
  rows: z.number().int().positive(),
  batch: z.number().int().positive(),
  /** The last batch is made as long as the others: its last row is repeated. */
  pad: z.boolean().optional(),
  /** Of the `of` rows of the sources, those that a training with this split measures on. */
  split: z
    .object({
      of: z.number().int().positive(),
      fraction: z.number().gt(0).lt(1),
      seed: z.number().int().nonnegative(),
    })
    .optional(),
});
type RowsSpec = z.infer<typeof RowsSpec>;

/** `rows` of the tensors' are the dataset's; the rest, where `pad` asks for it, repeats the last one. */
export interface RowBatch {
  feeds: Record<string, HostTensor>;
  rows: number;
  done: number;
}

export async function* batches(task: Task, spec: RowsSpec, kit: TaskKit): AsyncGenerator<RowBatch> {
  const { feeds, rows, batch, pad, split } = spec;
  const all = new TaskRows(task, spec, kit);
  const source = split ? splitRows(all, split.fraction, split.seed).validation : all;
  for (let start = 0; start < rows; start += batch) {
    kit.signal.throwIfAborted();
    const end = Math.min(rows, start + batch);
    const count = pad ? batch : end - start;
    const tensors: Record<string, HostTensor> = {};
    for (const [input, feed] of Object.entries(feeds)) {
      const bytes = await source.read(input, start, end);
      tensors[input] = fed(feed, count, lengthened(bytes, end - start, count));
    }
    yield { feeds: tensors, rows: end - start, done: end / rows };
  }
}

function fed(
  { data_type, shape, as, scale = 1 }: Feed,
  rows: number,
  bytes: Uint8Array,
): HostTensor {
  const tensor = { dataType: data_type, dims: [rows, ...shape], bytes };
  if (as === undefined && scale === 1) return tensor;
  const from = elements(tensor);
  return tensorOf(as ?? data_type, tensor.dims, (index) => (from[index] ?? 0) * scale);
}

/** With the last row repeated, up to `count` rows. */
function lengthened(bytes: Uint8Array<ArrayBuffer>, rows: number, count: number) {
  if (rows === count) return bytes;
  const size = bytes.length / rows;
  const longer = new Uint8Array(count * size);
  longer.set(bytes);
  for (let row = rows; row < count; row++) longer.set(bytes.subarray(-size || 0), row * size);
  return longer;
}

/** The task's sources as rows, by input; read in blocks, since batches follow each other. */
class TaskRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #task: Task;
  readonly #kit: TaskKit;
  readonly #sources: ReadonlyMap<string, string>;
  /** The latest block of each input. */
  readonly #blocks = new Map<string, { start: number; end: number; bytes: Uint8Array }>();

  constructor(task: Task, { feeds, rows, split }: RowsSpec, kit: TaskKit) {
    this.#task = task;
    this.#kit = kit;
    const fields = Object.entries(feeds).map(([name, { data_type, shape }]) => ({
      name,
      dtype: dataTypeName(data_type) as FieldType,
      shape,
    }));
    this.description = { fields, rows: split?.of ?? rows };
    this.#sources = new Map(Object.entries(feeds).map(([name, { source }]) => [name, source]));
  }

  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const field = this.description.fields.find((each) => each.name === name);
    if (!field) throw new RangeError(`runner: there is no input "${name}"`);
    const size = rowBytes(field);
    let block = this.#blocks.get(name);
    if (!block || start < block.start || end > block.end) {
      const reach = Math.max(end, start + Math.floor(BLOCK_BYTES / Math.max(size, 1)));
      const last = Math.min(reach, this.description.rows);
      const source = requireSource(this.#task, this.#sources.get(name) ?? "");
      const bytes = await this.#kit.read(source, { start: start * size, end: last * size });
      block = { start, end: last, bytes };
      this.#blocks.set(name, block);
    }
    return block.bytes.slice((start - block.start) * size, (end - block.start) * size);
  }
}
