/** @file TensorProto.DataType: the element types of ONNX and how their elements are stored. */

export const DataType = {
  undefined: 0,
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
} as const;

export type DataType = (typeof DataType)[keyof typeof DataType];

/** Bits per element of the little-endian raw form; 0 for strings. Types of fewer than 8 bits are packed, low bits first. */
const BITS: Readonly<Record<DataType, number>> = {
  0: 0,
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  8: 0,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  14: 64,
  15: 128,
  16: 16,
  17: 8,
  18: 8,
  19: 8,
  20: 8,
  21: 4,
  22: 4,
  23: 4,
  24: 8,
  25: 2,
  26: 2,
};

const NAMES = new Map<number, keyof typeof DataType>(
  Object.entries(DataType).map(([name, value]) => [value, name as keyof typeof DataType]),
);

/** True for the codes that a tensor of this IR may have (not `undefined`). */
export function isDataType(code: number): code is DataType {
  return code !== 0 && NAMES.has(code);
}

/** The type's name as used in the API and in messages: `float32`, `int8`, … */
export function dataTypeName(type: number): string {
  return NAMES.get(type) ?? `data type ${type}`;
}

export function bitsPerElement(type: DataType): number {
  return BITS[type];
}

/** Bytes of `count` elements in the raw form. */
export function rawByteLength(type: DataType, count: number): number {
  return Math.ceil((count * BITS[type]) / 8);
}

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}
