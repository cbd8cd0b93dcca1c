/**
 * @file Where each parameter and buffer lies in the flat float32 vector that ranks exchange.
 *
 * Parameters come first, in the order in which the backward walk finishes their gradients (the last
 * layer's first); buffers (running statistics) follow. A layout is plain data that survives JSON.
 */
import { elementCount } from "../onnx/data-type.ts";

export interface LayoutEntry {
  /** The input of the step model, and for a whole parameter the initializer of the trained model. */
  name: string;
  dims: number[];
  /** First element in the vector. */
  offset: number;
  /** Elements. */
  length: number;
  kind: "parameter" | "buffer";
  /** The step's output: a parameter's gradient, a buffer's next value. */
  gradient: string;
  /** Weight decay applies. */
  decay: boolean;
  /** Elements that are zero at the start stay zero. */
  masked: boolean;
}

/** A stretch of the vector, in elements; `end` is excluded. */
export interface Bucket {
  start: number;
  end: number;
}

export interface Layout {
  entries: LayoutEntry[];
  /** Elements of all parameters: the part that is reduced and optimized. */
  parameters: number;
  /** Elements in all, buffers too. */
  length: number;
  /** The parameters in stretches of whole entries, in the order in which their gradients are ready. */
  buckets: Bucket[];
}

/** A bucket is closed when it has this many elements (1 MiB of float32). */
const BUCKET_ELEMENTS = 262_144;

export type LayoutPart = Pick<LayoutEntry, "name" | "dims" | "gradient"> &
  Partial<Pick<LayoutEntry, "decay" | "masked">>;

/** Lays out parameters, in the order of their gradients, then buffers. */
export function makeLayout(
  parameters: readonly LayoutPart[],
  buffers: readonly LayoutPart[],
  bucketElements = BUCKET_ELEMENTS,
): Layout {
  const entries: LayoutEntry[] = [];
  const buckets: Bucket[] = [];
  let offset = 0;
  let start = 0;
  const add = (part: LayoutPart, kind: LayoutEntry["kind"]): void => {
    const length = elementCount(part.dims);
    const { name, dims, gradient, decay = false, masked = false } = part;
    entries.push({ name, dims: [...dims], offset, length, kind, gradient, decay, masked });
    offset += length;
  };
  for (const part of parameters) {
    add(part, "parameter");
    if (offset - start < bucketElements) continue;
    buckets.push({ start, end: offset });
    start = offset;
  }
  if (offset > start) buckets.push({ start, end: offset });
  const parameterLength = offset;
  for (const part of buffers) add(part, "buffer");
  return { entries, parameters: parameterLength, length: offset, buckets };
}

/** The part of the vector that is the entry's; a view. */
export function entryValues(vector: Float32Array, entry: LayoutEntry): Float32Array {
  return vector.subarray(entry.offset, entry.offset + entry.length);
}
