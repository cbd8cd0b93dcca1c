/**
 * @file What bench/kernels.ts measures: each kernel on 1024 × 1024 weights, its definition on 64 × 1024.
 */
import { Arena } from "../src/kernels/arena.ts";
import { kernelModule } from "../src/kernels/node.ts";
import * as affine from "../src/kernels/reference/affine.ts";
import * as bfloat16 from "../src/kernels/reference/bfloat16.ts";
import * as blocks from "../src/kernels/reference/blocks.ts";
import * as bnb4 from "../src/kernels/reference/bnb4.ts";
import * as errors from "../src/kernels/reference/errors.ts";
import * as float16 from "../src/kernels/reference/float16.ts";
import * as hqq from "../src/kernels/reference/hqq.ts";
import * as magnitude from "../src/kernels/reference/magnitude.ts";
import * as nOfM from "../src/kernels/reference/n-of-m.ts";
import * as ranges from "../src/kernels/reference/ranges.ts";
import * as rowBlocks from "../src/kernels/reference/row-blocks.ts";
import * as transpose from "../src/kernels/reference/transpose.ts";
import * as vectors from "../src/kernels/reference/vectors.ts";

const COLS = 1024;
const ROWS = 1024;
/** Weights that one call of a kernel takes. */
export const COUNT = ROWS * COLS;
const FEW_ROWS = 64;
/** Weights that one call of a definition takes. */
export const FEW = FEW_ROWS * COLS;
const SCALE = 0.0005;

interface KernelCase {
  readonly name: string;
  readonly kernel: () => unknown;
  readonly definition: () => unknown;
}

const arena = await Arena.create(await kernelModule(), 32 << 20);
const { kernels } = arena;
const x = arena.allocate(COUNT * 4);
const y = arena.allocate(COUNT * 4);
const out = arena.allocate(COUNT * 4);
const small = arena.allocate(1 << 20);
const parameters = arena.allocate(1 << 20);
const columnScales = arena.allocate(COLS * 4);
const columnZeroPoints = arena.allocate(COLS);

/** Sums of three uniform numbers from a fixed seed: bell-shaped weights of about ±0.06. */
function weights(count: number): Float32Array {
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => (next() + next() + next() - 1.5) * 0.04);
}

const input = weights(COUNT);
arena.float32(x, COUNT).set(input);
arena.float32(y, COUNT).set(input.toReversed());
const few = input.slice(0, FEW);
const reversed = few.toReversed();
const scales = new Float32Array(COLS).fill(SCALE);
const zeroPoints = new Int8Array(COLS);
const codes = new Int8Array(FEW);
const sums = new Float64Array(2);
arena.float32(columnScales, COLS).set(scales);
arena.view(columnZeroPoints, COLS).fill(0);
const halves = float16.float16FromFloat32(few, 5.96e-8, 65504);
const bfloats = bfloat16.bfloat16FromFloat32(few);
const histogram = new Uint32Array(65537);
const threshold = 0x3c000000;
const mask = Uint8Array.from({ length: FEW }, (_, i) => i & 1);
const shape = { rows: FEW_ROWS, cols: COLS };

function packAll(bits: 2 | 4 | 8, blockSize: number): void {
  const kernel = { 2: kernels.packBlocks2, 4: kernels.packBlocks4, 8: kernels.packBlocks8 }[bits];
  const blockCount = ROWS / blockSize;
  const stride = (ROWS * bits) / 8;
  const zeroPointBytes = (blockCount * bits) / 8;
  for (let block = 0; block < blockCount; block++) {
    const from = x + block * blockSize * COLS * 4;
    kernel(
      from,
      blockSize,
      COLS,
      COLS,
      block,
      blockCount,
      blockSize,
      out,
      stride,
      small,
      parameters,
      zeroPointBytes,
      0,
    );
  }
}

export const CASES: readonly KernelCase[] = [
  {
    name: "absMaxBits",
    kernel: () => kernels.absMaxBits(x, COUNT),
    definition: () => ranges.absMaxBits(few),
  },
  {
    name: "minMax",
    kernel: () => kernels.minMax(x, COUNT, small),
    definition: () => ranges.minMax(few, new Float32Array(2)),
  },
  {
    name: "columnMinMax",
    kernel: () => kernels.columnMinMax(x, ROWS, COLS, small, small + COLS * 4),
    definition: () =>
      ranges.columnMinMax(few, FEW_ROWS, COLS, new Float32Array(COLS), new Float32Array(COLS)),
  },
  {
    name: "quantizeInt8",
    kernel: () => kernels.quantizeInt8(x, COUNT, out, SCALE, 0),
    definition: () => affine.quantize(few, codes, SCALE, 0),
  },
  {
    name: "quantizeUint8",
    kernel: () => kernels.quantizeUint8(x, COUNT, out, SCALE, 128),
    definition: () => affine.quantize(few, new Uint8Array(FEW), SCALE, 128),
  },
  {
    name: "quantizeInt16",
    kernel: () => kernels.quantizeInt16(x, COUNT, out, SCALE / 256, 0),
    definition: () => affine.quantize(few, new Int16Array(FEW), SCALE / 256, 0),
  },
  {
    name: "quantizeInt8Columns",
    kernel: () => kernels.quantizeInt8Columns(x, ROWS, COLS, out, columnScales, columnZeroPoints),
    definition: () => affine.quantizeColumns(few, COLS, codes, scales, zeroPoints),
  },
  {
    name: "quantizationErrorInt8",
    kernel: () => kernels.quantizationErrorInt8(x, COUNT, out, SCALE, 0, small),
    definition: () => errors.quantizationError(few, codes, SCALE, 0, sums),
  },
  {
    name: "squaredError",
    kernel: () => kernels.squaredError(x, y, COUNT, small),
    definition: () => errors.squaredError(few, reversed, sums),
  },
  {
    name: "float16FromFloat32",
    kernel: () => kernels.float16FromFloat32(x, COUNT, out, 5.96e-8, 65504),
    definition: () => float16.float16FromFloat32(few, 5.96e-8, 65504),
  },
  {
    name: "bfloat16FromFloat32",
    kernel: () => kernels.bfloat16FromFloat32(x, COUNT, out),
    definition: () => bfloat16.bfloat16FromFloat32(few),
  },
  {
    name: "float32FromFloat16",
    kernel: () => {
      kernels.float32FromFloat16(x, COUNT, out);
    },
    definition: () => float16.float32FromFloat16(halves),
  },
  {
    name: "float32FromBfloat16",
    kernel: () => {
      kernels.float32FromBfloat16(x, COUNT, out);
    },
    definition: () => bfloat16.float32FromBfloat16(bfloats),
  },
  ...([2, 4, 8] as const).flatMap((bits) =>
    [32, 128].map((blockSize) => ({
      name: `packBlocks${bits} by ${blockSize}`,
      kernel: () => packAll(bits, blockSize),
      definition: () => blocks.packBlocks(few, shape, { bits, blockSize, symmetric: false }),
    })),
  ),
  {
    name: "quantizeRowBlocks 4 bits by 32",
    kernel: () => kernels.quantizeRowBlocks(x, ROWS, COLS, 32, 4, 0, 0, out, small, parameters),
    definition: () =>
      rowBlocks.quantizeRowBlocks(few, COLS, {
        blockSize: 32,
        bits: 4,
        symmetric: false,
        signed: false,
      }),
  },
  {
    name: "quantizeColumnBlocks 4 bits by 32",
    kernel: () => kernels.quantizeColumnBlocks(x, ROWS, COLS, 32, 4, 0, out, small, parameters),
    definition: () =>
      rowBlocks.quantizeColumnBlocks(few, COLS, { blockSize: 32, bits: 4, symmetric: false }),
  },
  {
    name: "packBnb4 NF4 by 64",
    kernel: () => kernels.packBnb4(x, COUNT, 64, bnb4.NF4, out, small),
    definition: () => bnb4.packBnb4(few, 64, bnb4.NF4),
  },
  {
    name: "hqqRowBlocks 4 bits by 128",
    kernel: () => kernels.hqqRowBlocks(x, ROWS, COLS, 128, 4, out, small, parameters),
    definition: () => hqq.hqqRowBlocks(few, COLS, { blockSize: 128, bits: 4 }),
  },
  {
    name: "magnitudeHistogram",
    kernel: () => kernels.magnitudeHistogram(x, COUNT, small),
    definition: () => magnitude.magnitudeHistogram(few, histogram),
  },
  {
    name: "magnitudeHistogramWithin",
    kernel: () => kernels.magnitudeHistogramWithin(x, COUNT, threshold >>> 15, small),
    definition: () => magnitude.magnitudeHistogramWithin(few, threshold >>> 15, histogram),
  },
  {
    name: "magnitudeHistogramAround",
    kernel: () => kernels.magnitudeHistogramAround(x, COUNT, threshold, small),
    definition: () => magnitude.magnitudeHistogramAround(few, threshold, histogram),
  },
  {
    name: "zeroBelow",
    kernel: () => kernels.zeroBelow(y, COUNT, threshold, 0),
    definition: () => magnitude.zeroBelow(reversed, threshold, 0),
  },
  {
    name: "pruneNM 2:4",
    kernel: () => kernels.pruneNM(y, COUNT, 2, 4),
    definition: () => nOfM.pruneNM(reversed, 2, 4),
  },
  {
    name: "applyMask",
    kernel: () => kernels.applyMask(y, COUNT, out),
    definition: () => magnitude.applyMask(reversed, mask),
  },
  {
    name: "countZeros",
    kernel: () => kernels.countZeros(x, COUNT),
    definition: () => magnitude.countZeros(few),
  },
  {
    name: "dot",
    kernel: () => kernels.dot(x, y, COUNT),
    definition: () => vectors.dot(few, reversed),
  },
  { name: "sumAbs", kernel: () => kernels.sumAbs(x, COUNT), definition: () => vectors.sumAbs(few) },
  {
    name: "axpy",
    kernel: () => kernels.axpy(1e-3, x, y, COUNT),
    definition: () => vectors.axpy(1e-3, few, reversed),
  },
  {
    name: "accumulate",
    kernel: () => kernels.accumulate(x, y, COUNT),
    definition: () => vectors.accumulate(few, reversed),
  },
  {
    name: "transpose32",
    kernel: () => kernels.transpose32(x, ROWS, COLS, out),
    definition: () => transpose.transpose32(new Uint32Array(few.buffer), FEW_ROWS, COLS),
  },
];
