/**
 * @file Ln norms of a weight's slices, summed while the weight streams by, and the slices with the least.
 *
 * torch sums in float32 in an order of its own; the sums here are float64 and the norm is rounded to
 * float32 at the end. So the order of slices is torch's except where two norms agree to float32 rounding.
 */
import type { Arena } from "../kernels/arena.ts";
import type { KernelExports } from "../kernels/abi.ts";
import type { Tensor } from "../onnx/model.ts";
import { pruningChunks } from "./pruning-chunks.ts";
import { forEachRun, type SliceView } from "./slices.ts";

/** Runs shorter than this are summed in place: a kernel call costs more than it saves. */
const KERNEL_RUN = 32;

/** How a norm grows: an element's share, how shares join, and the norm from the whole. */
interface Norm {
  start: number;
  fold(total: number, magnitude: number): number;
  readonly finish: (total: number) => number;
  /** The share of a run of contiguous elements, where a kernel does it. */
  run?: (kernels: KernelExports, pointer: number, length: number) => number;
  join(left: number, right: number): number;
  /** Folds elements into one total each, round and round: slices of single elements, the common last axis. */
  columns?: (totals: Float64Array, x: Float32Array, slice: number) => void;
}

const identity = (total: number): number => total;
const add = (left: number, right: number): number => left + right;
const bitsToFloat = new Float32Array(1);
const floatBits = new Uint32Array(bitsToFloat.buffer);

/** `torch.norm(p=order)` over all axes but one. */
function normOf(order: number): Norm {
  switch (order) {
    case 1:
      return {
        start: 0,
        fold: add,
        finish: identity,
        join: add,
        run: (kernels, pointer, length) => kernels.sumAbs(pointer, length),
        columns: (totals, x, slice) => {
          for (let i = 0, c = slice; i < x.length; i++, c = c + 1 === totals.length ? 0 : c + 1) {
            totals[c] = (totals[c] ?? 0) + Math.abs(x[i] ?? 0);
          }
        },
      };
    case 2:
      return {
        start: 0,
        fold: (total, x) => total + x * x,
        finish: Math.sqrt,
        join: add,
        run: (kernels, pointer, length) => kernels.dot(pointer, pointer, length),
        columns: (totals, x, slice) => {
          for (let i = 0, c = slice; i < x.length; i++, c = c + 1 === totals.length ? 0 : c + 1) {
            const value = x[i] ?? 0;
            totals[c] = (totals[c] ?? 0) + value * value;
          }
        },
      };
    case Infinity:
      return {
        start: 0,
        fold: Math.max,
        finish: identity,
        join: Math.max,
        run: (kernels, pointer, length) => {
          floatBits[0] = kernels.absMaxBits(pointer, length);
          return bitsToFloat[0] ?? 0;
        },
      };
    case -Infinity:
      return { start: Infinity, fold: Math.min, finish: identity, join: Math.min };
    case 0:
      return { start: 0, fold: (n, x) => (x === 0 ? n : n + 1), finish: identity, join: add };
    default:
      return {
        start: 0,
        fold: (total, x) => total + x ** order,
        finish: (total) => total ** (1 / order),
        join: add,
      };
  }
}

/** The norm of each slice; `undefined` when the weight holds NaN or Inf. */
export async function sliceNorms(
  tensor: Tensor,
  view: SliceView,
  order: number,
  arena: Arena,
): Promise<Float32Array | undefined> {
  const norm = normOf(order);
  const { run } = norm;
  const totals = new Float64Array(view.slices).fill(norm.start);
  const mark = arena.mark();
  const chunks = pruningChunks(tensor, arena);
  const { kernels } = arena;
  let finite = true;
  await chunks.each(0, view.elements, (first, count) => {
    finite &&= kernels.absMaxBits(chunks.pointer, count) < 0x7f800000;
    if (!finite) return;
    const x = arena.float32(chunks.pointer, count);
    if (norm.columns && view.inner === 1) return norm.columns(totals, x, first % view.slices);
    forEachRun(view, first, count, (slice, offset, length) => {
      let total = totals[slice] ?? 0;
      if (run && length >= KERNEL_RUN) {
        total = norm.join(total, run(kernels, chunks.pointer + offset * 4, length));
      } else {
        for (let i = offset; i < offset + length; i++) {
          total = norm.fold(total, Math.abs(x[i] ?? 0));
        }
      }
      totals[slice] = total;
    });
  });
  arena.release(mark);
  if (!finite) return undefined;
  const norms = new Float32Array(view.slices);
  totals.forEach((total, slice) => (norms[slice] = norm.finish(total)));
  return norms;
}

const LOW_BITS = 16;
const LOW_MASK = 0xffff;

/**
 * The `count` slices with the least norm, of equal ones the first. Norms are not negative, so their bits are in their
 * order, and counts of the upper and then of the lower half find the largest norm that goes: no sorting, since a weight
 * can have millions of slices.
 * @returns by slice, 0 where it is one of them and -1 where not
 */
export function leastSlices(norms: Float32Array, count: number): Int32Array {
  const keep = new Int32Array(norms.length).fill(-1);
  if (count === 0) return keep;
  const bits = new Uint32Array(norms.buffer, norms.byteOffset, norms.length);
  const upper = ranked(bits, count, (value) => value >>> LOW_BITS);
  const lower = ranked(bits, count - upper.below, (value) =>
    value >>> LOW_BITS === upper.digit ? value & LOW_MASK : undefined,
  );
  const largest = upper.digit * (LOW_MASK + 1) + lower.digit;
  let ties = count - upper.below - lower.below;
  bits.forEach((value, slice) => {
    if (value < largest || (value === largest && ties-- > 0)) keep[slice] = 0;
  });
  return keep;
}

/** The digit at a rank (from 1) of those that are given, and how many are less. */
function ranked(
  bits: Uint32Array,
  rank: number,
  digitOf: (value: number) => number | undefined,
): { digit: number; below: number } {
  const counts = new Uint32Array(LOW_MASK + 1);
  for (const value of bits) {
    const digit = digitOf(value);
    if (digit !== undefined) counts[digit] = (counts[digit] ?? 0) + 1;
  }
  let below = 0;
  let digit = 0;
  for (; below + (counts[digit] ?? 0) < rank; digit++) below += counts[digit] ?? 0;
  return { digit, below };
}
