/**
 * @file The header of NumPy's .npy format, read strictly.
 *
 * Source: numpy.lib.format (versions 1.0, 2.0, 3.0): magic, version, header length, a Python dict literal, raw data.
 */
import { elementCount } from "../../onnx/data-type.ts";
import type { FieldType } from "../dataset.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER_BYTES = 8192;
/** A prefix of a file that holds every header this reader takes. */
export const NPY_PREFIX_BYTES = 12 + MAX_HEADER_BYTES;
/** NumPy's own limit. */
const MAX_RANK = 64;

const FIELD_TYPES: Readonly<Record<string, FieldType>> = {
  "<f2": "float16",
  "<f4": "float32",
  "<f8": "float64",
  "|b1": "bool",
  "|i1": "int8",
  "|u1": "uint8",
  "<i2": "int16",
  "<u2": "uint16",
  "<i4": "int32",
  "<u4": "uint32",
  "<i8": "int64",
  "<u8": "uint64",
};

export interface NpyHeader {
  dtype: FieldType;
  /** NumPy's name of the element type, for messages. */
  descr: string;
  /** The first axis runs fastest. */
  fortran: boolean;
  dims: number[];
  /** Where the data begins in the file. */
  dataStart: number;
}

/**
 * @param bytes the file, or its first `NPY_PREFIX_BYTES`
 * @throws RangeError naming what does not hold; object arrays (pickles) are never read
 */
export function readNpyHeader(bytes: Uint8Array): NpyHeader {
  const { header, dataStart } = headerText(bytes);
  const descr = field(header, /['"]descr['"]\s*:\s*(?:['"]([^'"]*)['"]|(\[))/, "descr");
  const dtype = FIELD_TYPES[descr];
  if (dtype === undefined) throw new RangeError(`npy: ${whyNot(descr)}`);
  const fortran = field(header, /['"]fortran_order['"]\s*:\s*(True|False)/, "fortran_order");
  const dims = parseShape(field(header, /['"]shape['"]\s*:\s*\(([\d\s,]*)\)/, "shape"));
  return { dtype, descr, fortran: fortran === "True", dims, dataStart };
}

function whyNot(descr: string): string {
  if (/^\|?O/.test(descr)) {
    return `element type "${descr}" is Python objects (a pickle), which are never read; save numbers`;
  }
  if (/^[<>|=]?[US]/.test(descr)) {
    return `element type "${descr}" is text; save numbers, e.g. class indices`;
  }
  if (descr === "[") return "the array has named columns (a structured dtype); save one array each";
  if (descr.startsWith(">")) return `element type "${descr}" is big-endian; use .astype("<…")`;
  return `element type "${descr}" is not one of ${Object.keys(FIELD_TYPES).join(", ")}`;
}

function headerText(bytes: Uint8Array): { header: string; dataStart: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new RangeError("npy: the array does not begin with \\x93NUMPY and a version");
  }
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) throw new RangeError(`npy: version ${major} is not 1, 2 or 3`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) throw new RangeError("npy: the array ends within its header's length");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES || start + length > bytes.length) {
    throw new RangeError(
      `npy: a header of ${length} bytes passes the limit of ${MAX_HEADER_BYTES} or the file's ${bytes.length}`,
    );
  }
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  if (!/^\{.*\}\s*$/s.test(header)) throw new RangeError("npy: the header is not a Python dict");
  return { header, dataStart: start + length };
}

function field(header: string, pattern: RegExp, name: string): string {
  const found = pattern.exec(header);
  const match = found?.[1] ?? found?.[2];
  if (match === undefined) throw new RangeError(`npy: the header has no readable "${name}"`);
  return match;
}

function parseShape(text: string): number[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop();
  const dims = parts.map(Number);
  if (dims.length > MAX_RANK) throw new RangeError(`npy: rank ${dims.length} is above ${MAX_RANK}`);
  if (parts.includes("") || !Number.isSafeInteger(elementCount(dims))) {
    throw new RangeError(`npy: shape (${text}) is not one`);
  }
  return dims;
}

/** Column-major bytes in row-major order. */
export function rowMajor(data: Uint8Array, dims: readonly number[]): Uint8Array<ArrayBuffer> {
  const count = elementCount(dims);
  const out = new Uint8Array(data.length);
  const size = count === 0 ? 0 : data.length / count;
  const strides = dims.map((_, axis) => elementCount(dims.slice(0, axis)));
  for (let i = 0; i < count; i++) {
    let rest = i;
    let from = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const dim = dims[axis] ?? 1;
      from += (rest % dim) * (strides[axis] ?? 0);
      rest = Math.floor(rest / dim);
    }
    for (let byte = 0; byte < size; byte++) out[i * size + byte] = data[from * size + byte] ?? 0;
  }
  return out;
}
