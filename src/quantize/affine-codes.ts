/** @file The second pass over a weight: its codes, streamed in the order that the quantized form has. */
import type { Arena } from "../kernels/arena.ts";
import {
  CHUNK_ELEMENTS,
  HELD_CHUNK,
  heldChunks,
  type WeightChunks,
  weightChunks,
} from "../kernels/weight-chunks.ts";
import type { Tensor } from "../onnx/model.ts";
import type { ByteSink } from "../onnx/source.ts";
import { ComputedData } from "../onnx/tensor-data.ts";
import type { AffineLayout, Reorder } from "./affine-layout.ts";
import { type AffineScales, columnPieces, runs } from "./affine-ranges.ts";

/** Σx² and Σ(x − x̂)². */
export type ErrorSums = [signal: number, error: number];

/** Finds the scales by a pass over the chunks. */
export type FindScales = (chunks: WeightChunks) => Promise<AffineScales>;

/**
 * Sends the codes of a weight, one byte each, using at most the arena's free memory: about 6 MiB, and a
 * panel of codes (as large as is free) where the order changes.
 * @param scales known, or to be found first: then a weight that fits into the arena is read once for both
 * @returns the sums of squares, when `measure` is set; of a large weight over every eighth part of it
 * @throws RangeError when a general permutation has more codes than the arena can hold
 */
export async function streamCodes(
  tensor: Tensor,
  layout: AffineLayout,
  scales: AffineScales | FindScales,
  arena: Arena,
  sink: ByteSink,
  measure: boolean,
): Promise<ErrorSums> {
  const mark = arena.mark();
  try {
    const isKnown = typeof scales !== "function";
    const isHeld = !isKnown && canHold(tensor, layout, arena);
    const quantizer = new ChunkQuantizer(tensor, layout, arena, measure, isHeld);
    quantizer.setScales(isKnown ? scales : await scales(quantizer.chunks));
    const { reorder } = layout;
    if (!reorder) {
      await quantizer.each(0, layout.count, async (_, count) => {
        await sink.write(arena.view(quantizer.codes, count));
      });
    } else if (reorder.kind === "transpose") {
      await streamTransposed(quantizer, reorder, arena, sink);
    } else {
      await streamPermuted(quantizer, reorder, layout.count, arena, sink);
    }
    return quantizer.sums();
  } finally {
    arena.release(mark);
  }
}

/** The allocator's rounding, and parameters of a few thousand channels. */
const MARGIN_BYTES = 256 << 10;

/** Whether the weight's elements fit into the arena beside what their codes need. */
function canHold(
  tensor: Tensor,
  { count, channels, reorder }: AffineLayout,
  arena: Arena,
): boolean {
  if (tensor.data instanceof ComputedData) return false;
  const codes = Math.min(count, CHUNK_ELEMENTS);
  const ordered = reorder ? codes + count : 0;
  return count * 4 + codes + ordered + channels * 16 + MARGIN_BYTES <= arena.available;
}

/** Weights up to here are compared with their codes element by element. */
const EXACT_ELEMENTS = 1 << 20;
/** Of larger ones every eighth part of so many elements: comparing all would take as long as quantizing. */
const PART_ELEMENTS = 1 << 14;
const MEASURED_EVERY = 8;

/** Quantizes chunk after chunk into `codes`. */
class ChunkQuantizer {
  /** Pointer to the codes of the current chunk, in the stored order. */
  readonly codes: number;
  readonly chunks: WeightChunks;
  /** Set to false to skip the error sums where elements are read a second time. */
  measure: boolean;
  readonly #layout: AffineLayout;
  readonly #arena: Arena;
  readonly #columnScale: number = 0;
  readonly #columnZeroPoint: number = 0;
  readonly #sums: number;
  #scales: AffineScales = { scale: new Float32Array(0), zeroPoint: new Int8Array(0) };
  #signed = true;

  constructor(
    tensor: Tensor,
    layout: AffineLayout,
    arena: Arena,
    measure: boolean,
    isHeld: boolean,
  ) {
    this.#layout = layout;
    this.#arena = arena;
    this.measure = measure;
    this.#sums = arena.allocate(16);
    arena.float64(this.#sums, 2).fill(0);
    if (this.#byColumn) {
      this.#columnScale = arena.allocate(layout.channels * 4);
      this.#columnZeroPoint = arena.allocate(layout.channels);
    }
    const chunk = isHeld ? Math.max(HELD_CHUNK, this.#rowLength) : CHUNK_ELEMENTS;
    this.codes = arena.allocate(Math.min(layout.count, chunk));
    const read = isHeld ? heldChunks : weightChunks;
    this.chunks = read(tensor, arena, layout.count, this.#rowLength);
  }

  setScales(scales: AffineScales): void {
    this.#scales = scales;
    const { scale, zeroPoint } = scales;
    this.#signed = zeroPoint instanceof Int8Array;
    if (!this.#byColumn) return;
    const { channels } = this.#layout;
    this.#arena.float32(this.#columnScale, channels).set(scale);
    const bytes = new Uint8Array(zeroPoint.buffer, zeroPoint.byteOffset, zeroPoint.length);
    this.#arena.view(this.#columnZeroPoint, channels).set(bytes);
  }

  get #byColumn(): boolean {
    return this.#layout.inner === 1 && this.#layout.channels > 1;
  }

  /** Chunks end at whole rows of the matrices that are transposed, or of the columns. */
  get #rowLength(): number {
    const { reorder, channels } = this.#layout;
    if (reorder?.kind === "transpose") return reorder.cols;
    return this.#byColumn ? channels : 1;
  }

  sums(): ErrorSums {
    const [signal = 0, error = 0] = this.#arena.float64(this.#sums, 2);
    return [signal, error];
  }

  async each(
    from: number,
    to: number,
    use: (first: number, count: number) => void | Promise<void>,
  ): Promise<void> {
    await this.chunks.each(from, to, async (first, count, pointer) => {
      if (this.#byColumn) this.#quantizeColumns(first, count, pointer);
      else this.#quantizeRuns(first, count, pointer);
      await use(first, count);
    });
  }

  #quantizeColumns(first: number, count: number, pointer: number): void {
    const { kernels } = this.#arena;
    const quantize = this.#signed ? kernels.quantizeInt8Columns : kernels.quantizeUint8Columns;
    const error = this.#signed
      ? kernels.quantizationErrorInt8Columns
      : kernels.quantizationErrorUint8Columns;
    const { channels } = this.#layout;
    for (const { offset, rows, cols, column } of columnPieces(first, count, channels)) {
      const x = pointer + offset * 4;
      const q = this.codes + offset;
      const scale = this.#columnScale + column * 4;
      const zeroPoint = this.#columnZeroPoint + column;
      quantize(x, rows, cols, q, scale, zeroPoint);
      const row = Math.floor((first + offset) / channels);
      for (const part of this.#measured(row, rows, channels)) {
        const skipped = part.offset * cols;
        error(x + skipped * 4, part.length, cols, q + skipped, scale, zeroPoint, this.#sums);
      }
    }
  }

  #quantizeRuns(first: number, count: number, pointer: number): void {
    const { kernels } = this.#arena;
    const quantize = this.#signed ? kernels.quantizeInt8 : kernels.quantizeUint8;
    const error = this.#signed ? kernels.quantizationErrorInt8 : kernels.quantizationErrorUint8;
    for (const { channel, offset, length } of runs(first, count, this.#layout)) {
      const x = pointer + offset * 4;
      const q = this.codes + offset;
      const scale = this.#scales.scale[channel] ?? 1;
      const zeroPoint = this.#scales.zeroPoint[channel] ?? 0;
      quantize(x, length, q, scale, zeroPoint);
      for (const part of this.#measured(first + offset, length, 1)) {
        const skipped = part.offset;
        error(x + skipped * 4, part.length, q + skipped, scale, zeroPoint, this.#sums);
      }
    }
  }

  /** The parts of `count` units (elements, rows of `unit` elements) from unit `first` of the weight on that are compared. */
  *#measured(
    first: number,
    count: number,
    unit: number,
  ): Generator<{ offset: number; length: number }> {
    if (!this.measure) return;
    if (this.#layout.count <= EXACT_ELEMENTS) return yield { offset: 0, length: count };
    const part = Math.max(1, Math.floor(PART_ELEMENTS / unit));
    for (let at = first; at < first + count;) {
      const index = Math.floor(at / part);
      const end = Math.min(first + count, (index + 1) * part);
      if (index % MEASURED_EVERY === 0) yield { offset: at - first, length: end - at };
      at = end;
    }
  }
}

/**
 * Transposed matrices, a panel of output rows at a time: the weight is read once per panel, and once in
 * all when the panel holds a whole matrix.
 */
async function streamTransposed(
  quantizer: ChunkQuantizer,
  { batches, rows, cols }: Extract<Reorder, { kind: "transpose" }>,
  arena: Arena,
  sink: ByteSink,
): Promise<void> {
  const turned = arena.allocate(Math.min(rows * cols, CHUNK_ELEMENTS));
  const panelCols = Math.min(cols, Math.floor((arena.available - 64) / rows));
  if (panelCols < 1) {
    throw new RangeError(
      `quantize: a column of ${rows} codes passes the arena's ${arena.available} free bytes`,
    );
  }
  const panel = arena.allocate(panelCols * rows);
  const { measure } = quantizer;
  for (let batch = 0; batch < batches; batch++) {
    const base = batch * rows * cols;
    for (let left = 0; left < cols; left += panelCols) {
      const right = Math.min(cols, left + panelCols);
      quantizer.measure = measure && left === 0;
      await quantizer.each(base, base + rows * cols, (first, count) => {
        for (const piece of columnPieces(first - base, count, cols)) {
          const row = Math.floor((first - base + piece.offset) / cols);
          arena.kernels.transpose8(quantizer.codes + piece.offset, piece.rows, piece.cols, turned);
          const { bytes } = arena;
          const from = Math.max(left, piece.column);
          const to = Math.min(right, piece.column + piece.cols);
          for (let column = from; column < to; column++) {
            const source = turned + (column - piece.column) * piece.rows;
            bytes.copyWithin(panel + (column - left) * rows + row, source, source + piece.rows);
          }
        }
      });
      await sink.write(arena.view(panel, (right - left) * rows));
    }
  }
}

/** Any order: all codes are held, then gathered slice by slice. */
async function streamPermuted(
  quantizer: ChunkQuantizer,
  { dims, permutation }: Extract<Reorder, { kind: "permute" }>,
  count: number,
  arena: Arena,
  sink: ByteSink,
): Promise<void> {
  const held = arena.allocate(count);
  await quantizer.each(0, count, (first, length) => {
    arena.bytes.copyWithin(held + first, quantizer.codes, quantizer.codes + length);
  });
  const slice = new Uint8Array(Math.min(count, CHUNK_ELEMENTS));
  const strides = dims.map((_, axis) =>
    dims.slice(axis + 1).reduce((product, dim) => product * dim, 1),
  );
  const outDims = permutation.map((axis) => dims[axis] ?? 1);
  const outStrides = permutation.map((axis) => strides[axis] ?? 1);
  const index = permutation.map(() => 0);
  let source = held;
  let filled = 0;
  for (let done = 0; done < count; done++) {
    slice[filled++] = arena.bytes[source] ?? 0;
    if (filled === slice.length || done === count - 1) {
      await sink.write(slice.subarray(0, filled));
      filled = 0;
    }
    // Count up like an odometer, the last axis fastest.
    for (let axis = index.length - 1; axis >= 0; axis--) {
      const stride = outStrides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      source += stride;
      if (next < (outDims[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      source -= next * stride;
      index[axis] = 0;
    }
  }
}
