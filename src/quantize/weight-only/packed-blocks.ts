/**
 * @file The weights of MatMulNBits: blocks along K, packed per output feature.
 *
 * codes [N, blocks, blockSize·bits/8], scales [N, blocks], zero points [N, ceil(blocks·bits/8)] (low bits
 * first), bit for bit as onnxruntime 1.30's MatMulNBitsQuantizer (default algorithm) packs them.
 */
import type { Arena } from "../../kernels/arena.ts";
import { type BlockData, blockData, type KeptParameters, type Piece } from "./block-data.ts";
import { BlockError } from "./block-error.ts";
import { eachBand, eachTransposed, type Matrix, scratchBytes } from "./matrix.ts";
import type { BlockBits, BlockSettings } from "./options.ts";

/** Input read at a time, where columns are few enough: it stays in the second-level cache. */
const BAND_BYTES = 512 << 10;
/** Columns that the kernel packs at a time: panels end on multiples of it. */
const TILE_COLUMNS = 16;

export interface PackedSizes {
  blocks: number;
  /** Bytes of one block of one column. */
  blobBytes: number;
  zeroPointBytes: number;
}

export function packedSizes(rows: number, blockSize: number, bits: BlockBits): PackedSizes {
  const blocks = Math.ceil(rows / blockSize);
  return {
    blocks,
    blobBytes: (blockSize * bits) / 8,
    zeroPointBytes: Math.ceil((blocks * bits) / 8),
  };
}

/**
 * @param onError Σx² and Σ(x − x̂)² over evenly spaced blocks, once the codes have been written
 */
export function packedBlocks(
  matrix: Matrix,
  settings: BlockSettings,
  arena: Arena,
  kept: KeptParameters,
  onError: (signal: number, error: number) => void,
): BlockData {
  const { bits, blockSize, symmetric } = settings;
  const sizes = packedSizes(matrix.rows, blockSize, bits);
  const { columns } = matrix;
  return blockData(
    {
      codes: columns * sizes.blocks * sizes.blobBytes,
      scales: columns * sizes.blocks * 4,
      zeroPoints: symmetric ? 0 : columns * sizes.zeroPointBytes,
    },
    kept,
    async (send, codesWanted) => {
      const mark = arena.mark();
      const error = new BlockError(bits, columns * sizes.blocks * blockSize);
      const panels = new Panels(settings, sizes, arena, codesWanted ? error : undefined);
      try {
        if (matrix.transposed) await packRows(matrix, arena, panels, send);
        else await packColumns(matrix, arena, panels, send);
      } finally {
        arena.release(mark);
      }
      if (codesWanted) onError(error.signal, error.error);
    },
  );
}

/** Stored as [K, N]: as many columns at once as the packed panel and one band of input leave room for. */
async function packColumns(
  matrix: Matrix,
  arena: Arena,
  panels: Panels,
  send: (piece: Piece) => Promise<void>,
): Promise<void> {
  const { rows, columns } = matrix;
  const { blockSize } = panels;
  const room = scratchBytes(matrix, arena);
  const perColumn = panels.bytesPerColumn + blockSize * 4;
  let width = columns;
  if (columns * perColumn > room) {
    width = Math.max(1, Math.floor(room / perColumn / TILE_COLUMNS)) * TILE_COLUMNS;
  }
  // the last block may be short, but bands are whole blocks
  const rowBytes = blockSize * width * 4;
  const band = Math.min(room - width * panels.bytesPerColumn, Math.max(BAND_BYTES, rowBytes));
  const bandBlocks = Math.min(Math.floor(band / rowBytes), Math.ceil(rows / blockSize));
  const bandRows = Math.max(1, bandBlocks) * blockSize;
  const pointer = arena.allocate(bandRows * width * 4);
  panels.allocate(width);
  for (let from = 0; from < columns; from += width) {
    const count = Math.min(width, columns - from);
    await eachBand(matrix, arena, { from, count, bandRows, pointer }, (firstRow, bandCount) => {
      panels.pack(pointer, firstRow, bandCount, count);
    });
    await send(panels.piece(count));
  }
}

/** Stored as [N, K]: pieces of rows are turned, then packed. */
async function packRows(
  matrix: Matrix,
  arena: Arena,
  panels: Panels,
  send: (piece: Piece) => Promise<void>,
): Promise<void> {
  let turned = 0;
  await eachTransposed(
    matrix,
    arena,
    1,
    (columns) => {
      turned = arena.allocate(columns * matrix.rows * 4);
      panels.allocate(columns);
    },
    async (_, count, pointer) => {
      arena.kernels.transpose32(pointer, count, matrix.rows, turned);
      panels.pack(turned, 0, matrix.rows, count);
      await send(panels.piece(count));
    },
  );
}

/** The packed form of some columns in the arena. */
class Panels {
  readonly blockSize: number;
  readonly #settings: BlockSettings;
  readonly #sizes: PackedSizes;
  readonly #arena: Arena;
  readonly #error: BlockError | undefined;
  #codes = 0;
  #scales = 0;
  #zeroPoints = 0;

  constructor(
    settings: BlockSettings,
    sizes: PackedSizes,
    arena: Arena,
    error: BlockError | undefined,
  ) {
    this.blockSize = settings.blockSize;
    this.#settings = settings;
    this.#sizes = sizes;
    this.#arena = arena;
    this.#error = error;
  }

  get bytesPerColumn(): number {
    const { blocks, blobBytes, zeroPointBytes } = this.#sizes;
    return blocks * (blobBytes + 4) + zeroPointBytes;
  }

  allocate(columns: number): void {
    const { blocks, blobBytes, zeroPointBytes } = this.#sizes;
    this.#codes = this.#arena.allocate(columns * blocks * blobBytes);
    this.#scales = this.#arena.allocate(columns * blocks * 4);
    this.#zeroPoints = this.#arena.allocate(columns * zeroPointBytes);
  }

  /** Packs the rows [firstRow, firstRow + rows) of `columns` columns, which lie as [rows, columns] at `x`. */
  pack(x: number, firstRow: number, rows: number, columns: number): void {
    const { kernels } = this.#arena;
    const { bits, blockSize, symmetric } = this.#settings;
    const { blocks, blobBytes, zeroPointBytes } = this.#sizes;
    const kernel = { 2: kernels.packBlocks2, 4: kernels.packBlocks4, 8: kernels.packBlocks8 }[bits];
    for (let done = 0; done < rows; done += blockSize) {
      const count = Math.min(blockSize, rows - done);
      const block = (firstRow + done) / blockSize;
      const from = x + done * columns * 4;
      kernel(
        from,
        count,
        columns,
        columns,
        block,
        blocks,
        blockSize,
        this.#codes,
        blocks * blobBytes,
        this.#scales,
        this.#zeroPoints,
        zeroPointBytes,
        symmetric ? 1 : 0,
      );
      if (!this.#error?.wants(block)) continue;
      this.#error.addPacked(this.#arena, {
        x: from,
        rows: count,
        columns,
        codes: this.#codes + block * blobBytes,
        codeStride: blocks * blobBytes,
        scales: this.#scales + block * 4,
        scaleStride: blocks,
        zeroPoint: symmetric
          ? undefined
          : { pointer: this.#zeroPoints, stride: zeroPointBytes, bit: block * bits },
      });
    }
  }

  piece(columns: number): Piece {
    const { blocks, blobBytes, zeroPointBytes } = this.#sizes;
    const zeroPoints = this.#settings.symmetric ? 0 : columns * zeroPointBytes;
    return {
      codes: this.#arena.view(this.#codes, columns * blocks * blobBytes),
      scales: this.#arena.view(this.#scales, columns * blocks * 4),
      zeroPoints: this.#arena.view(this.#zeroPoints, zeroPoints),
    };
  }
}
