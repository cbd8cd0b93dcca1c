/**
 * @file A weight as the matrix B [K, N] of a product, read in the pieces that block quantization needs,
 * whichever way it is stored and however large it is.
 */
import type { Arena } from "../../kernels/arena.ts";
import { CHUNK_ELEMENTS, weightChunks } from "../../kernels/weight-chunks.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Tensor } from "../../onnx/model.ts";
import { ComputedData } from "../../onnx/tensor-data.ts";

export interface Matrix {
  tensor: Tensor;
  /** K: the contracted dimension, along which blocks lie. */
  rows: number;
  /** N: output features. */
  columns: number;
  /** Stored as [N, K] (Gemm's transB, embeddings); else as [K, N]. */
  transposed: boolean;
}

/** Scratch that data computed by an earlier pass needs for itself while it is read. */
const PRODUCER_BYTES = 12 << 20;
/** Elements collected at a time from a matrix of which only some columns are wanted. */
const COLLECTED_ELEMENTS = 1 << 18;
/** Collected elements, as float32 and as 16-bit floats, and the allocator's rounding. */
const MARGIN_BYTES = COLLECTED_ELEMENTS * 6 + (64 << 10);
/**
 * A matrix in up to so many panels of columns is read as a whole for each of them: sequential reads cost a
 * remote source one request for many rows. Beyond, each row's part is read alone.
 */
const MOST_READINGS = 8;

/** Bytes that a reader of this matrix may take of the arena, beside what the reading itself takes. */
export function scratchBytes({ tensor }: Matrix, arena: Arena): number {
  const producer = tensor.data instanceof ComputedData ? PRODUCER_BYTES : 0;
  return Math.max(0, arena.available - producer - MARGIN_BYTES);
}

/**
 * Reads the columns [from, from + count) of a [K, N] matrix band by band: `visit` finds rows
 * [firstRow, firstRow + rows) as float32 [rows, count] at `pointer`, which holds `bandRows` of them.
 */
export async function eachBand(
  matrix: Matrix,
  arena: Arena,
  panel: { from: number; count: number; bandRows: number; pointer: number },
  visit: (firstRow: number, rows: number) => void | Promise<void>,
): Promise<void> {
  const { tensor, rows: allRows, columns } = matrix;
  const { from, count, bandRows, pointer } = panel;
  const isDirect = tensor.dataType === DataType.float32 && !(tensor.data instanceof ComputedData);
  const isWhole = count === columns;
  if (!isDirect || (!isWhole && columns <= count * MOST_READINGS)) {
    return await eachCollectedBand(matrix, arena, panel, visit);
  }
  for (let first = 0; first < allRows; first += bandRows) {
    const rows = Math.min(bandRows, allRows - first);
    if (isWhole) {
      await tensor.data.read(first * columns * 4, arena.view(pointer, rows * columns * 4));
    } else {
      const reads = Array.from({ length: rows }, (_, r) =>
        tensor.data.read(
          ((first + r) * columns + from) * 4,
          arena.view(pointer + r * count * 4, count * 4),
        ),
      );
      await Promise.all(reads);
    }
    await visit(first, rows);
  }
}

/** The same from the whole matrix, read in order. */
async function eachCollectedBand(
  { tensor, rows: allRows, columns }: Matrix,
  arena: Arena,
  {
    from,
    count,
    bandRows,
    pointer,
  }: { from: number; count: number; bandRows: number; pointer: number },
  visit: (firstRow: number, rows: number) => void | Promise<void>,
): Promise<void> {
  const mark = arena.mark();
  const elements = allRows * columns;
  const chunks = weightChunks(tensor, arena, elements, 1, COLLECTED_ELEMENTS);
  await chunks.each(0, elements, async (first, length) => {
    for (let at = first; at < first + length;) {
      const row = Math.floor(at / columns);
      const rowStart = row * columns;
      const end = Math.min(first + length, rowStart + columns);
      const start = Math.max(at, rowStart + from);
      const stop = Math.min(end, rowStart + from + count);
      if (start < stop) {
        const source = chunks.pointer + (start - first) * 4;
        const target = pointer + ((row % bandRows) * count + (start - rowStart - from)) * 4;
        arena.bytes.copyWithin(target, source, source + (stop - start) * 4);
      }
      at = end;
      const full = row % bandRows === bandRows - 1 || row === allRows - 1;
      if (full && end === rowStart + columns) {
        const firstRow = row - (row % bandRows);
        await visit(firstRow, row - firstRow + 1);
      }
    }
  });
  arena.release(mark);
}

/** Scratch for the turned columns of a [K, N] matrix, and as much again for the columns as stored. */
const TURNED_BYTES = 4 << 20;

/**
 * Reads the matrix as rows of its transpose, in order.
 * @param multipleOf pieces end at multiples of this many columns of B
 * @param prepare gets the largest piece's columns before anything is read: what it allocates stays in
 * place (memory must not grow while a piece is lent)
 * @param visit finds the columns [first, first + count) of B as float32 [count, K] at the pointer it is given
 */
export async function eachTransposed(
  matrix: Matrix,
  arena: Arena,
  multipleOf: number,
  prepare: (columns: number) => void,
  visit: (first: number, count: number, pointer: number) => void | Promise<void>,
): Promise<void> {
  const { tensor, rows, columns } = matrix;
  if (matrix.transposed) {
    const elements = rows * columns;
    const chunks = weightChunks(tensor, arena, elements, rows * multipleOf);
    const wanted = Math.floor(CHUNK_ELEMENTS / (rows * multipleOf)) * multipleOf;
    prepare(Math.min(columns, wanted));
    return await chunks.each(0, elements, async (first, length) => {
      await visit(first / rows, length / rows, chunks.pointer);
    });
  }
  const fit = Math.floor(TURNED_BYTES / (rows * 4 * multipleOf)) * multipleOf;
  const width = Math.min(columns, Math.max(fit, multipleOf));
  const pointer = arena.allocate(rows * width * 4);
  const turned = arena.allocate(rows * width * 4);
  prepare(width);
  for (let from = 0; from < columns; from += width) {
    const count = Math.min(width, columns - from);
    await eachBand(matrix, arena, { from, count, bandRows: rows, pointer }, async () => {
      arena.kernels.transpose32(pointer, rows, count, turned);
      await visit(from, count, turned);
    });
  }
}

/** False for matrices whose single columns are too long to be turned or packed in the scratch memory. */
export function columnsFit({ rows }: Matrix, multipleOf: number): boolean {
  return rows * multipleOf <= CHUNK_ELEMENTS;
}
