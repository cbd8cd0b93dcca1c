/** @file Fields' element types as JavaScript's: typed arrays, integer ranges, bytes as numbers. */
import { type FieldType, elementBytes } from "./dataset.ts";

export type FieldArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** bfloat16 has no array of its own: its bits are 16-bit words. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  bfloat16: Uint16Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<FieldType, unknown>;

/** An array of `length` zeros. */
export function fieldArray(dtype: FieldType, length: number): FieldArray {
  return new ARRAYS[dtype](length);
}

/** The elements that lie in `bytes`; copied where they are not aligned. */
export function fieldElements(dtype: FieldType, bytes: Uint8Array): FieldArray {
  const size = elementBytes(dtype);
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset % size === 0) {
    return new ARRAYS[dtype](buffer, byteOffset, byteLength / size);
  }
  return new ARRAYS[dtype](new Uint8Array(bytes).buffer);
}

export function isFloat(dtype: FieldType): boolean {
  return dtype.includes("float");
}

/** Least and largest value of each integer type; bigint where numbers do not hold them. */
const INTEGERS: Partial<Record<FieldType, { min: number | bigint; max: number | bigint }>> = {
  uint8: { min: 0, max: 255 },
  int8: { min: -128, max: 127 },
  uint16: { min: 0, max: 65_535 },
  int16: { min: -32_768, max: 32_767 },
  uint32: { min: 0, max: 2 ** 32 - 1 },
  int32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  uint64: { min: 0n, max: 2n ** 64n - 1n },
  int64: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
};

/** The narrowest integer type that holds all from `min` to `max`. */
export function narrowestInteger(min: number, max: number): FieldType {
  for (const dtype of ["uint8", "int16", "int32"] as const) {
    const range = INTEGERS[dtype];
    if (range && min >= range.min && max <= range.max) return dtype;
  }
  return "int64";
}

/** The bytes of an array, not copied. */
export function bytesOf(array: FieldArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * The same numbers in another type.
 * @throws RangeError for a number that the type does not hold: fractions and out of range in integers, overflow
 * in floats. Floats round to nearest; that is no error.
 */
export function converted(from: FieldArray, source: FieldType, target: FieldType): FieldArray {
  if (target === "bfloat16" || source === "bfloat16") {
    throw new RangeError(`${source} is not converted to ${target}`);
  }
  const out = fieldArray(target, from.length);
  const wide = out instanceof BigInt64Array || out instanceof BigUint64Array;
  for (let i = 0; i < from.length; i++) {
    const value = from[i] ?? 0;
    if (wide) out[i] = BigInt(fitting(value, target));
    else out[i] = Number(fitting(value, target));
  }
  return out;
}

/**
 * The number, if the type holds it: integers exactly, floats without overflow.
 * @throws RangeError naming the number and the type
 */
export function fitting<T extends number | bigint>(value: T, dtype: FieldType): T {
  if (dtype === "bool" && value != 0 && value != 1) throw new RangeError(`${value} is not 0 or 1`);
  const range = INTEGERS[dtype];
  if (range) {
    const { min, max } = range;
    if (typeof value === "number" && !Number.isInteger(value)) {
      throw new RangeError(`${value} is not a whole number, the field is ${dtype}`);
    }
    if (value < min || value > max) {
      throw new RangeError(`${value} is outside ${dtype} (${min} to ${max})`);
    }
  }
  const limit = OVERFLOW[dtype];
  if (
    limit !== undefined &&
    Number.isFinite(Number(value)) &&
    (value >= limit || value <= -limit)
  ) {
    throw new RangeError(`${value} is beyond ${dtype}`);
  }
  return value;
}

/** From here on a finite number rounds to infinity: the largest one plus half its last place. */
const OVERFLOW: Partial<Record<FieldType, number>> = {
  float16: 65520,
  float32: 2 ** 128 - 2 ** 103,
};
