/**
 * @file The numbers of an attribute, a field each: onnx.proto declares them unpacked, and its C++ readers accept both.
 *
 * A model can hold millions of them. Only their length is found when a file is planned; they are encoded when it is
 * written, so that the plans of several candidates hold no copies.
 */
import { Encoder } from "./encoder.ts";
import { ComputedData } from "./tensor-data.ts";

/** Lists up to here are encoded at once, longer ones this many numbers at a time. */
const CHUNK_NUMBERS = 4096;

const FLOAT_BYTES = 4;
/** Of a negative number too. */
const MAX_VARINT_BYTES = 10;

export function encodeFloats(out: Encoder, field: number, values: readonly number[]): void {
  const each = (into: Encoder, value: number): void => into.float(field, value);
  encodeList(out, values, each, () => values.length * (tagBytes(field) + FLOAT_BYTES));
}

export function encodeInts(out: Encoder, field: number, values: readonly bigint[]): void {
  const each = (into: Encoder, value: bigint): void => into.int(field, value);
  encodeList(out, values, each, () =>
    values.reduce((sum, value) => sum + varintBytes(value), values.length * tagBytes(field)),
  );
}

function encodeList<T>(
  out: Encoder,
  values: readonly T[],
  each: (into: Encoder, value: T) => void,
  byteLength: () => number,
): void {
  if (values.length <= CHUNK_NUMBERS) {
    for (const value of values) each(out, value);
    return;
  }
  out.lazy(
    new ComputedData(byteLength(), async (sink) => {
      for (let from = 0; from < values.length; from += CHUNK_NUMBERS) {
        const chunk = new Encoder();
        for (const value of values.slice(from, from + CHUNK_NUMBERS)) each(chunk, value);
        await chunk.write(sink);
      }
    }),
  );
}

const tagBytes = (field: number): number => varintBytes(BigInt(field * 8));

function varintBytes(value: bigint): number {
  if (value < 0n) return MAX_VARINT_BYTES;
  let bytes = 1;
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) bytes++;
  return bytes;
}
