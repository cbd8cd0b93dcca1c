/**
 * @file safetensors as a dataset: each tensor is a field, its first axis the rows.
 *
 * Source: huggingface/safetensors, "Format": u64 length, a JSON header, then the tensors' bytes; offsets count from
 * the header's end, and must cover those bytes without gap or overlap.
 */
import { elementCount } from "../onnx/data-type.ts";
import type { ByteSource } from "../onnx/source.ts";
import { DatasetError, elementBytes, type FieldType } from "./dataset.ts";
import { bytesAt, chunksOf, commonRows, type DatasetPlan, rowsOfArray } from "./plan.ts";

/** The format's own limit is 100 MB; a header of that many tensors would be no dataset. */
const MAX_HEADER_BYTES = 1 << 20;

const TYPES: Readonly<Record<string, FieldType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
};

const invalid = (message: string) => new DatasetError("invalid_dataset", `safetensors: ${message}`);

interface Tensor {
  name: string;
  dtype: FieldType;
  dims: number[];
  /** From the header's end. */
  start: number;
  end: number;
}

/** @throws DatasetError naming the tensor at fault */
export async function readSafetensors(source: ByteSource): Promise<DatasetPlan> {
  if (source.size < 8)
    throw invalid(`the file has ${source.size} bytes, its header's length needs 8`);
  const length = Number(new DataView((await bytesAt(source, 0, 8)).buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || 8 + length > source.size) {
    throw invalid(
      `a header of ${length} bytes passes the limit of ${MAX_HEADER_BYTES} or the file's ${source.size}`,
    );
  }
  const dataStart = 8 + length;
  const tensors = readHeader(await bytesAt(source, 8, length));
  checkOffsets(tensors, source.size - dataStart);
  const arrays = tensors.map((tensor) => ({
    ...rowsOfArray(tensor.name, tensor.dtype, tensor.dims),
    tensor,
  }));
  return {
    fields: arrays.map(({ field }) => field),
    rows: commonRows(arrays),
    passes: arrays.map(({ tensor }, index) => ({
      fields: [index],
      write: async ([sink]) => {
        const { start, end } = tensor;
        for await (const chunk of chunksOf(source, dataStart + start, dataStart + end)) {
          await sink?.write(chunk);
        }
      },
    })),
  };
}

function readHeader(bytes: Uint8Array): Tensor[] {
  const text = new TextDecoder().decode(bytes);
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw invalid(`the header is not JSON: ${(error as SyntaxError).message}`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw invalid("the header is not a JSON object");
  }
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  // JSON.parse keeps the last of two equal names; the text has both.
  if (keyCount(text) !== Object.keys(header).length) throw invalid("two tensors have one name");
  return entries.map(([name, value]) => readTensor(name, value));
}

/** The keys of the outer object, equal ones counted each. */
function keyCount(text: string): number {
  let depth = 0;
  let keys = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/gs)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) keys++;
  }
  return keys;
}

function readTensor(name: string, value: unknown): Tensor {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const type = typeof dtype === "string" ? TYPES[dtype] : undefined;
  if (!type) {
    throw invalid(
      `tensor "${name}" has dtype ${JSON.stringify(dtype)}, not one of ${Object.keys(TYPES).join(", ")}`,
    );
  }
  if (!isSizes(shape)) throw invalid(`tensor "${name}" has no shape of whole numbers`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw invalid(`tensor "${name}" has no data_offsets [begin, end]`);
  }
  const [start = 0, end = 0] = offsets;
  const need = elementCount(shape) * elementBytes(type);
  if (end - start !== need) {
    throw invalid(
      `tensor "${name}" ${dtype as string} [${shape.join(", ")}] needs ${need} bytes, its offsets [${start}, ${end}] give ${end - start}`,
    );
  }
  return { name, dtype: type, dims: shape, start, end };
}

function isSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((each) => Number.isSafeInteger(each) && (each as number) >= 0)
  );
}

function checkOffsets(tensors: readonly Tensor[], dataBytes: number): void {
  let covered = 0;
  for (const { name, start, end } of tensors.toSorted(
    (a, b) => a.start - b.start || a.end - b.end,
  )) {
    if (end > dataBytes) {
      throw invalid(
        `tensor "${name}" ends at ${end}, the data at ${dataBytes}: the file is truncated`,
      );
    }
    if (start !== covered) {
      throw invalid(
        `tensor "${name}" begins at ${start}, the one before ends at ${covered}: ${start < covered ? "they overlap" : "there is a gap"}`,
      );
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw invalid(`the tensors end at ${covered}, the data at ${dataBytes}`);
  }
}
