/** @file A host tensor's elements as numbers, and numbers as a host tensor, for every element type that ONNX Runtime runs. */
import {
  DataType,
  bitsPerElement,
  dataTypeName,
  elementCount,
  rawByteLength,
} from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";

type NumberArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>;

/** Typed arrays whose elements are the type's, as they are. */
const ARRAYS: Partial<Record<DataType, new (buffer: ArrayBuffer) => NumberArray>> = {
  [DataType.float32]: Float32Array,
  [DataType.float64]: Float64Array,
  [DataType.float16]: Float16Array,
  [DataType.uint8]: Uint8Array,
  [DataType.bool]: Uint8Array,
  [DataType.int8]: Int8Array,
  [DataType.uint16]: Uint16Array,
  [DataType.int16]: Int16Array,
  [DataType.uint32]: Uint32Array,
  [DataType.int32]: Int32Array,
};

/**
 * The elements as numbers, row-major; 64-bit integers beyond 2^53 are rounded.
 * @throws RangeError for types that are not numbers ONNX Runtime computes with, and for bytes that do not fit `dims`
 */
export function elements(tensor: HostTensor): ArrayLike<number> {
  const { dataType, dims } = tensor;
  const count = elementCount(dims);
  const need = rawByteLength(dataType, count);
  if (tensor.bytes.length !== need) {
    throw new RangeError(
      `verify: ${tensor.bytes.length} bytes, dims [${dims.join(", ")}] of ${dataTypeName(dataType)} need ${need}`,
    );
  }
  const ArrayType = ARRAYS[dataType];
  const bytes = owned(tensor.bytes);
  if (ArrayType) return new ArrayType(bytes.buffer);
  switch (dataType) {
    case DataType.int64:
      return Float64Array.from(new BigInt64Array(bytes.buffer), Number);
    case DataType.uint64:
      return Float64Array.from(new BigUint64Array(bytes.buffer), Number);
    case DataType.bfloat16:
      return new Float32Array(
        Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half * 65536).buffer,
      );
    case DataType.uint4:
    case DataType.int4:
    case DataType.uint2:
    case DataType.int2:
      return unpacked(bytes, count, dataType);
    default:
      throw unsupported(dataType);
  }
}

/**
 * A tensor of the values `value(index)`, rounded and saturated as the type's own conversion does it.
 * @throws RangeError for types that are not numbers
 */
export function tensorOf(
  dataType: DataType,
  dims: number[],
  value: (index: number) => number,
): HostTensor {
  const count = elementCount(dims);
  const buffer = new ArrayBuffer(rawByteLength(dataType, count));
  const bytes = new Uint8Array(buffer);
  const ArrayType = ARRAYS[dataType];
  if (ArrayType) {
    const array = new ArrayType(buffer);
    for (let i = 0; i < count; i++) array[i] = value(i);
    return { dataType, dims, bytes };
  }
  switch (dataType) {
    case DataType.int64:
    case DataType.uint64: {
      const array = new BigInt64Array(buffer);
      for (let i = 0; i < count; i++) array[i] = BigInt(Math.trunc(value(i)));
      break;
    }
    case DataType.bfloat16: {
      const array = new Uint16Array(buffer);
      for (let i = 0; i < count; i++) array[i] = bfloat16Bits(value(i));
      break;
    }
    case DataType.uint4:
    case DataType.int4:
    case DataType.uint2:
    case DataType.int2: {
      const bits = bitsPerElement(dataType);
      for (let i = 0; i < count; i++) {
        const at = (i * bits) >> 3;
        const field = (value(i) & (2 ** bits - 1)) << ((i * bits) & 7);
        bytes[at] = (bytes[at] ?? 0) | field;
      }
      break;
    }
    default:
      throw unsupported(dataType);
  }
  return { dataType, dims, bytes };
}

/** The same values in another element type; the tensor itself when it has that type already. */
export function convertTensor(tensor: HostTensor, dataType: DataType): HostTensor {
  if (tensor.dataType === dataType) return tensor;
  const from = elements(tensor);
  return tensorOf(dataType, tensor.dims, (index) => from[index] ?? 0);
}

/** Bytes that are a whole buffer of their own, as typed arrays of any alignment need it. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  const whole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength;
  return whole ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

function unpacked(bytes: Uint8Array, count: number, dataType: DataType): Float64Array {
  const bits = bitsPerElement(dataType);
  const signed = dataType === DataType.int4 || dataType === DataType.int2;
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const field = ((bytes[(i * bits) >> 3] ?? 0) >> ((i * bits) & 7)) & (2 ** bits - 1);
    values[i] = signed && field >= 2 ** (bits - 1) ? field - 2 ** bits : field;
  }
  return values;
}

const float32 = new Float32Array(1);
const float32Bits = new Uint32Array(float32.buffer);

/** Nearest, ties to even. */
function bfloat16Bits(value: number): number {
  float32[0] = value;
  const bits = float32Bits[0] ?? 0;
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function unsupported(dataType: DataType): RangeError {
  return new RangeError(`verify: ${dataTypeName(dataType)} has no numbers to feed or compare`);
}
