/** @file The first pass over a weight: each channel's range, hence its scale and zero point. */
import type { Arena } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { type AffineType, affineParameters, codeRange } from "./affine.ts";
import type { AffineLayout } from "./affine-layout.ts";
import { type WeightChunks, weightChunks } from "../kernels/weight-chunks.ts";

export interface AffineScales {
  scale: Float32Array;
  zeroPoint: Int8Array | Uint8Array;
}

/** |x| as float32 bits from here on is Inf or NaN. */
const INFINITY_BITS = 0x7f80_0000;

export interface RangeOptions {
  type: AffineType;
  symmetric: boolean;
  reduceRange: boolean;
}

/**
 * @param read the weight's chunks, where they are at hand already
 * @returns `undefined` when a scale is not finite (NaN, Inf, or a range that overflows)
 */
export async function affineScales(
  tensor: Tensor,
  layout: AffineLayout,
  options: RangeOptions,
  arena: Arena,
  read?: WeightChunks,
): Promise<AffineScales | undefined> {
  const mark = arena.mark();
  try {
    const columns = layout.inner === 1 ? layout.channels : 1;
    const chunks = read ?? weightChunks(tensor, arena, layout.count, columns);
    const ranges = options.symmetric
      ? await symmetricRanges(chunks, layout, arena)
      : await asymmetricRanges(chunks, layout, arena);
    if (!ranges) return undefined;
    const scale = new Float32Array(layout.channels);
    const zeroPoint =
      options.type === "int8" ? new Int8Array(layout.channels) : new Uint8Array(layout.channels);
    const codes = codeRange(options.type, options.symmetric, options.reduceRange);
    const precision = tensor.dataType === DataType.float16 ? "float16" : "float32";
    for (let channel = 0; channel < layout.channels; channel++) {
      const { min, max } = ranges;
      const parameters = affineParameters(
        min[channel] ?? 0,
        max[channel] ?? 0,
        codes,
        options.symmetric,
        precision,
      );
      if (!parameters) return undefined;
      scale[channel] = parameters.scale;
      zeroPoint[channel] = parameters.zeroPoint;
    }
    return { scale, zeroPoint };
  } finally {
    arena.release(mark);
  }
}

interface Ranges {
  min: Float32Array;
  max: Float32Array;
}

/** Largest magnitudes as both ends; `undefined` when one is not finite. */
async function symmetricRanges(
  chunks: WeightChunks,
  layout: AffineLayout,
  arena: Arena,
): Promise<Ranges | undefined> {
  const { kernels } = arena;
  const { channels, inner } = layout;
  const largest = arena.allocate(channels * 4);
  const bits = () => arena.uint32(largest, channels);
  bits().fill(0);
  await chunks.each(0, layout.count, (first, count, pointer) => {
    if (inner === 1 && channels > 1) {
      for (const piece of columnPieces(first, count, channels)) {
        const x = pointer + piece.offset * 4;
        kernels.columnAbsMaxBits(x, piece.rows, piece.cols, largest + piece.column * 4);
      }
      return;
    }
    const folded = bits();
    for (const run of runs(first, count, layout)) {
      const found = kernels.absMaxBits(pointer + run.offset * 4, run.length);
      folded[run.channel] = Math.max(folded[run.channel] ?? 0, found);
    }
  });
  if (bits().some((value) => value >= INFINITY_BITS)) return undefined;
  const max = arena.float32(largest, channels).slice();
  return { min: max, max };
}

async function asymmetricRanges(
  chunks: WeightChunks,
  layout: AffineLayout,
  arena: Arena,
): Promise<Ranges | undefined> {
  const { kernels } = arena;
  const { channels, inner } = layout;
  const columns = inner === 1 && channels > 1;
  // Pairs (min, max) for runs; all minima, then all maxima for columns. They start at 0, which every range holds.
  const ends = arena.allocate(channels * 8);
  arena.float32(ends, channels * 2).fill(0);
  let bad = 0;
  await chunks.each(0, layout.count, (first, count, pointer) => {
    if (columns) {
      for (const piece of columnPieces(first, count, channels)) {
        const x = pointer + piece.offset * 4;
        const min = ends + piece.column * 4;
        bad |= kernels.columnMinMax(x, piece.rows, piece.cols, min, min + channels * 4);
      }
      return;
    }
    for (const run of runs(first, count, layout)) {
      bad |= kernels.minMax(pointer + run.offset * 4, run.length, ends + run.channel * 8);
    }
  });
  if (bad) return undefined;
  const found = arena.float32(ends, channels * 2).slice();
  if (columns) return { min: found.subarray(0, channels), max: found.subarray(channels) };
  return {
    min: found.filter((_, index) => index % 2 === 0),
    max: found.filter((_, index) => index % 2 === 1),
  };
}

export interface Run {
  channel: number;
  /** Elements from the chunk's start. */
  offset: number;
  length: number;
}

/** The stretches of one channel each within the elements [first, first + count). */
export function* runs(first: number, count: number, layout: AffineLayout): Generator<Run> {
  const { channels, inner } = layout;
  for (let offset = 0; offset < count;) {
    const element = first + offset;
    const length = Math.min(inner - (element % inner), count - offset);
    yield { channel: Math.floor(element / inner) % channels, offset, length };
    offset += length;
  }
}

export interface ColumnPiece {
  column: number;
  offset: number;
  rows: number;
  cols: number;
}

/** Whole rows where the chunk holds them, parts of rows at its ends. */
export function* columnPieces(
  first: number,
  count: number,
  channels: number,
): Generator<ColumnPiece> {
  for (let offset = 0; offset < count;) {
    const column = (first + offset) % channels;
    const left = count - offset;
    if (column === 0 && left >= channels) {
      const rows = Math.floor(left / channels);
      yield { column, offset, rows, cols: channels };
      offset += rows * channels;
    } else {
      const cols = Math.min(channels - column, left);
      yield { column, offset, rows: 1, cols };
      offset += cols;
    }
  }
}
