/** @file A float32 weight as float16 or bfloat16: the bytes are computed while they are written. */
import type { Arena } from "../../kernels/arena.ts";
import { weightChunks } from "../../kernels/weight-chunks.ts";
import { DataType, elementCount } from "../../onnx/data-type.ts";
import type { Tensor } from "../../onnx/model.ts";
import type { ByteSink } from "../../onnx/source.ts";
import { ComputedData } from "../../onnx/tensor-data.ts";

/** How float32 becomes 16 bits: to nearest even, then the clamps (of float16 only the first). */
export interface HalfFormat {
  dataType: typeof DataType.float16 | typeof DataType.bfloat16;
  /** 0 < |x| < minPositive becomes ±minPositive (float16). */
  minPositive: number;
  /** Finite |x| > maxFinite becomes ±maxFinite; Inf and NaN stay. */
  maxFinite: number;
}

/** The largest finite bfloat16, 2^127 · (2 − 2^−7). */
export const MAX_BFLOAT16 = 3.3895313892515355e38;

/** What the conversion did to one tensor's values. */
export interface HalfSummary {
  /** Σx² and Σ(x − x̂)²; of large weights an estimate (see `EXACT_ELEMENTS`). */
  signal: number;
  error: number;
  /** Finite values beyond `maxFinite`, and the largest magnitude among them. */
  clamped: number;
  largest: number;
  /** NaN and Inf. */
  nonFinite: number;
}

/** Elements at a time: their float32 and 16-bit forms stay in the second-level cache together. */
const CHUNK_ELEMENTS = 1 << 17;

/**
 * The error is measured on every element of a weight up to `EXACT_ELEMENTS`; of a larger one on the first
 * eighth of each chunk, because widening and comparing all of it would take longer than converting it.
 * A chunk with clamped values is measured whole.
 */
const EXACT_ELEMENTS = 1 << 20;
const SAMPLED_ELEMENTS = CHUNK_ELEMENTS / 8;

const INFINITY_BITS = 0x7f800000;

/**
 * The tensor in 16 bits, same name and dims. Its bytes are computed whenever they are streamed, with less
 * than 1 MiB of scratch; `onWritten` is called at the end of each time.
 * float16 is bit for bit what onnxruntime's `convert_np_to_float16` gives, also for NaN and Inf.
 */
export function halfTensor(
  tensor: Tensor,
  format: HalfFormat,
  arena: Arena,
  onWritten: (summary: HalfSummary) => void,
): Tensor {
  const count = elementCount(tensor.dims);
  const data = new ComputedData(count * 2, async (sink) => {
    onWritten(await writeHalf(tensor, count, format, arena, sink));
  });
  return { ...tensor, dataType: format.dataType, data };
}

async function writeHalf(
  tensor: Tensor,
  count: number,
  format: HalfFormat,
  arena: Arena,
  sink: ByteSink,
): Promise<HalfSummary> {
  const summary: HalfSummary = { signal: 0, error: 0, clamped: 0, largest: 0, nonFinite: 0 };
  const maxBits = float32Bits(format.maxFinite);
  const mark = arena.mark();
  try {
    const chunks = weightChunks(tensor, arena, count, 1, CHUNK_ELEMENTS);
    const capacity = Math.min(count, CHUNK_ELEMENTS);
    const half = arena.allocate(capacity * 2);
    const back = arena.allocate(capacity * 4);
    const sums = arena.allocate(16);
    await chunks.each(0, count, async (_, length) => {
      const x = chunks.pointer;
      convertChunk(arena, format, x, length, half);
      const beyond = arena.kernels.absMaxBits(x, length) >>> 0 > maxBits;
      if (beyond) {
        countBeyond(arena.uint32(x, length), maxBits, summary);
        if (format.dataType === DataType.bfloat16) clampBfloat16(arena, x, half, length);
      }
      const isSampled = count > EXACT_ELEMENTS && !beyond;
      const measured = isSampled ? Math.min(length, SAMPLED_ELEMENTS) : length;
      arena.float64(sums, 2).fill(0);
      if (format.dataType === DataType.bfloat16)
        arena.kernels.float32FromBfloat16(half, measured, back);
      else arena.kernels.float32FromFloat16(half, measured, back);
      arena.kernels.squaredError(x, back, measured, sums);
      const [signal = 0, error = 0] = arena.float64(sums, 2);
      summary.signal += (signal * length) / measured;
      summary.error += (error * length) / measured;
      await sink.write(arena.view(half, length * 2));
    });
    return summary;
  } finally {
    arena.release(mark);
  }
}

function convertChunk(
  { kernels }: Arena,
  { dataType, minPositive, maxFinite }: HalfFormat,
  x: number,
  length: number,
  half: number,
): void {
  if (dataType === DataType.bfloat16) kernels.bfloat16FromFloat32(x, length, half);
  else kernels.float16FromFloat32(x, length, half, minPositive, maxFinite);
}

function countBeyond(bits: Uint32Array, maxBits: number, summary: HalfSummary): void {
  for (let i = 0; i < bits.length; i++) {
    const magnitude = (bits[i] ?? 0) & 0x7fffffff;
    if (magnitude <= maxBits) continue;
    if (magnitude >= INFINITY_BITS) summary.nonFinite++;
    else {
      summary.clamped++;
      summary.largest = Math.max(summary.largest, float32OfBits(magnitude));
    }
  }
}

/** Rounding to nearest takes finite values beyond the largest bfloat16 to infinity; they stay finite. */
function clampBfloat16(arena: Arena, x: number, half: number, length: number): void {
  const bits = arena.uint32(x, length);
  const out = new Uint16Array(arena.kernels.memory.buffer, half, length);
  for (let i = 0; i < length; i++) {
    const value = bits[i] ?? 0;
    const rounded = out[i] ?? 0;
    const overflowed = (rounded & 0x7fff) === 0x7f80 && (value & 0x7fffffff) < INFINITY_BITS;
    if (overflowed) out[i] = rounded - 1;
  }
}

const scratch = new DataView(new ArrayBuffer(4));

function float32Bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function float32OfBits(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}
