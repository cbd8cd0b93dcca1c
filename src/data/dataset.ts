/** @file What a dataset is: named fields, each a fixed-size tensor per row, and how many rows there are. */
import { DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";

/** The element types a field may have: those that NumPy, safetensors or Parquet write and a model can take. */
export const FIELD_TYPES = [
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "uint64",
  "int64",
  "bool",
] as const satisfies readonly (keyof typeof DataType)[];

export type FieldType = (typeof FIELD_TYPES)[number];

export interface DatasetField {
  name: string;
  dtype: FieldType;
  /** Of one row; `[]` for a scalar per row. */
  shape: number[];
}

/** A dataset as its readers see it. A field's rows lie back to back, little-endian and row-major. */
export interface DatasetDescription {
  fields: DatasetField[];
  rows: number;
}

/** What a dataset may have, so that whoever reads one knows what it may have to hold. */
export const DATASET_LIMITS = {
  fields: 64,
  /** Of one row of one field: a batch of them has to fit a rank. */
  rowBytes: 16 << 20,
  rank: 8,
  rows: 2 ** 32,
  /** Of all fields together, unpacked. A small archive may claim to hold far more. */
  bytes: 4 * 2 ** 30,
  nameLength: 128,
} as const;

type DatasetErrorCode =
  | "not_a_dataset"
  | "invalid_dataset"
  | "dataset_too_large"
  | "dataset_mismatch";

/** A file that is no dataset, or a dataset that does not fit a model. */
export class DatasetError extends RangeError {
  override readonly name = "DatasetError";
  readonly code: DatasetErrorCode;

  constructor(code: DatasetErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Bytes of one element. */
export function elementBytes(dtype: FieldType): number {
  return rawByteLength(DataType[dtype], 1);
}

/** Bytes of one row of a field. */
export function rowBytes({ dtype, shape }: Pick<DatasetField, "dtype" | "shape">): number {
  return elementCount(shape) * elementBytes(dtype);
}

/** Bytes of all rows of all fields. */
export function datasetBytes({ fields, rows }: DatasetDescription): number {
  return fields.reduce((sum, field) => sum + rowBytes(field) * rows, 0);
}

/** `"image" uint8 [28, 28]`, for messages. */
export function fieldText({ name, dtype, shape }: DatasetField): string {
  return `"${name}" ${dtype} [${shape.join(", ")}]`;
}
