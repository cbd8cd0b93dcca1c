/**
 * @file NumPy's .npy format, read strictly: one array, of the types that ONNX has.
 *
 * Source: numpy.lib.format (versions 1.0, 2.0, 3.0): magic, version, header length, a Python dict literal, raw data.
 */
import { DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER_BYTES = 8192;
/** NumPy's own limit. */
const MAX_RANK = 64;

const DATA_TYPES: Readonly<Record<string, DataType>> = {
  "<f2": DataType.float16,
  "<f4": DataType.float32,
  "<f8": DataType.float64,
  "|b1": DataType.bool,
  "|i1": DataType.int8,
  "|u1": DataType.uint8,
  "<i2": DataType.int16,
  "<u2": DataType.uint16,
  "<i4": DataType.int32,
  "<u4": DataType.uint32,
  "<i8": DataType.int64,
  "<u8": DataType.uint64,
};

/**
 * The array of a .npy file, row-major; arrays in Fortran order are transposed.
 * @throws RangeError naming what does not hold, with both numbers
 */
export function readNpy(bytes: Uint8Array): HostTensor {
  const { header, dataStart } = readHeader(bytes);
  const descr = field(header, /['"]descr['"]\s*:\s*['"]([^'"]*)['"]/, "descr");
  const dataType = DATA_TYPES[descr];
  if (dataType === undefined) {
    const known = Object.keys(DATA_TYPES).join(", ");
    throw new RangeError(`npy: element type "${descr}" is not one of ${known}`);
  }
  const fortran = field(header, /['"]fortran_order['"]\s*:\s*(True|False)/, "fortran_order");
  const dims = parseShape(field(header, /['"]shape['"]\s*:\s*\(([\d\s,]*)\)/, "shape"));
  const need = rawByteLength(dataType, elementCount(dims));
  const have = bytes.length - dataStart;
  if (need !== have) {
    throw new RangeError(
      `npy: shape (${dims.join(", ")}) of ${descr} needs ${need} bytes, there are ${have}`,
    );
  }
  const data = bytes.slice(dataStart);
  return {
    dataType,
    dims,
    bytes: fortran === "True" && dims.length > 1 ? rowMajor(data, dims) : data,
  };
}

function readHeader(bytes: Uint8Array): { header: string; dataStart: number } {
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
  const match = pattern.exec(header)?.[1];
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
function rowMajor(data: Uint8Array, dims: number[]): Uint8Array {
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
    out.set(data.subarray(from * size, (from + 1) * size), i * size);
  }
  return out;
}
