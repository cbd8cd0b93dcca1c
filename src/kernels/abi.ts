/**
 * @file The binary interface of the SIMD kernels: what `kernels.wasm` exports.
 *
 * Pointers are byte offsets into the instance's memory, counts are elements, all data is
 * little-endian. A kernel never allocates: whoever calls it lays out the memory (see `arena.ts`).
 * Pointers to float32 are 4-byte aligned. Matrices are row-major; `rows` × `cols`.
 * `reference/` defines each kernel in plain TypeScript, family by family; tests hold the two together.
 */

export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  /** First byte that is free for the caller; below lie the kernels' own tables. */
  readonly __heap_base: WebAssembly.Global;

  // -- ranges ---------------------------------------------------------------------------------
  /** Largest |x| as float32 bits; ≥ 0x7f800000 when a NaN or Inf is present. */
  readonly absMaxBits: (x: number, n: number) => number;
  /** Folds min and max of `x` into the float32 pair at `out`; returns 1 when a NaN or Inf is present, else 0. */
  readonly minMax: (x: number, n: number, out: number) => number;
  /** Folds each column's largest |x| (float32 bits, i32) into `acc[cols]`. */
  readonly columnAbsMaxBits: (x: number, rows: number, cols: number, acc: number) => void;
  /** Folds each column's min and max into `min[cols]`, `max[cols]`; returns 1 when a NaN or Inf is present. */
  readonly columnMinMax: (
    x: number,
    rows: number,
    cols: number,
    min: number,
    max: number,
  ) => number;

  // -- affine quantization: rint(float32(x / scale)) + zeroPoint, saturated to the type ----------
  readonly quantizeInt8: (
    x: number,
    n: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;
  readonly quantizeUint8: (
    x: number,
    n: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;
  readonly quantizeInt16: (
    x: number,
    n: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;
  readonly quantizeUint16: (
    x: number,
    n: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;
  /** Per column: `scale[cols]` float32, `zeroPoint[cols]` int8. */
  readonly quantizeInt8Columns: (
    x: number,
    rows: number,
    cols: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;
  /** Per column: `scale[cols]` float32, `zeroPoint[cols]` uint8. */
  readonly quantizeUint8Columns: (
    x: number,
    rows: number,
    cols: number,
    out: number,
    scale: number,
    zeroPoint: number,
  ) => void;

  // -- error of a quantization: adds Σx² and Σ(x − (q − zp)·scale)² to the float64 pair at `sums` --
  readonly quantizationErrorInt8: (
    x: number,
    n: number,
    q: number,
    scale: number,
    zeroPoint: number,
    sums: number,
  ) => void;
  readonly quantizationErrorUint8: (
    x: number,
    n: number,
    q: number,
    scale: number,
    zeroPoint: number,
    sums: number,
  ) => void;
  readonly quantizationErrorInt8Columns: (
    x: number,
    rows: number,
    cols: number,
    q: number,
    scale: number,
    zeroPoint: number,
    sums: number,
  ) => void;
  readonly quantizationErrorUint8Columns: (
    x: number,
    rows: number,
    cols: number,
    q: number,
    scale: number,
    zeroPoint: number,
    sums: number,
  ) => void;
  /** Adds Σa² and Σ(a − b)² of two float32 vectors to the float64 pair at `sums`. */
  readonly squaredError: (a: number, b: number, n: number, sums: number) => void;

  // -- MatMulNBits: `x` holds rows [block·blockSize, +rows) of B [K, N] row-major, `stride` floats per row --
  /**
   * Quantizes one block row of every column and packs it, bit for bit as ONNX Runtime's
   * MatMulNBitsQuantizer (default algorithm, QOperator layout).
   * `rows` ≤ `blockSize` ≤ 256, a multiple of 16 (the last block may be short; absent rows are zero bytes).
   * Blocks of a column go in order: a partial last byte and the zero points build on what lies before.
   * packed: column c, this block → `packed + c·packedStride + block·(blockSize·bits/8)`.
   * scales: float32 at `scales + (c·blocks + block)·4`.
   * zeroPoints: `bits` wide, low first, at row `zeroPoints + c·zeroPointStride`; ignored when `symmetric`.
   */
  readonly packBlocks4: (
    x: number,
    rows: number,
    cols: number,
    stride: number,
    block: number,
    blocks: number,
    blockSize: number,
    packed: number,
    packedStride: number,
    scales: number,
    zeroPoints: number,
    zeroPointStride: number,
    symmetric: number,
  ) => void;
  readonly packBlocks8: (
    x: number,
    rows: number,
    cols: number,
    stride: number,
    block: number,
    blocks: number,
    blockSize: number,
    packed: number,
    packedStride: number,
    scales: number,
    zeroPoints: number,
    zeroPointStride: number,
    symmetric: number,
  ) => void;
  readonly packBlocks2: (
    x: number,
    rows: number,
    cols: number,
    stride: number,
    block: number,
    blocks: number,
    blockSize: number,
    packed: number,
    packedStride: number,
    scales: number,
    zeroPoints: number,
    zeroPointStride: number,
    symmetric: number,
  ) => void;

  // -- blocks along the last axis of a row-major matrix (GatherBlockQuantized, QDQ blocks, bnb4) ----
  /** Per row blocks: `blocksPerRow = ceil(cols / blockSize)`; unpacked codes (one byte each) to `q`, scales float32 and zero points (one byte each) per block. `bits` 2, 4 or 8. NumPy's arithmetic: divide, half to even. */
  readonly quantizeRowBlocks: (
    x: number,
    rows: number,
    cols: number,
    blockSize: number,
    bits: number,
    symmetric: number,
    signed: number,
    q: number,
    scales: number,
    zeroPoints: number,
  ) => void;
  /** Blocks of `blockSize` rows of each column, rows from a block's first on: codes [rows, cols] (one byte each) to `q`, scales float32 and zero points (one byte each) [ceil(rows / blockSize), cols]. The arithmetic of `quantize_qdq_matmul_4bits`: times the reciprocal, halves away from zero, then the zero point. */
  readonly quantizeColumnBlocks: (
    x: number,
    rows: number,
    cols: number,
    blockSize: number,
    bits: number,
    symmetric: number,
    q: number,
    scales: number,
    zeroPoints: number,
  ) => void;
  /** Packs `n` codes of `bits` (2 or 4) wide, low first, into ceil(n·bits/8) bytes. */
  readonly packCodes: (q: number, n: number, bits: number, out: number) => void;
  /** bitsandbytes 4-bit: `kind` 0 = FP4, 1 = NF4; absmax per block of the flat vector to `absmax`, high nibble first as ONNX Runtime's MatMulBnb4. */
  readonly packBnb4: (
    x: number,
    n: number,
    blockSize: number,
    kind: number,
    out: number,
    absmax: number,
  ) => void;
  /** Half-quadratic quantization of row blocks (Badri & Shaji 2023), see `reference/hqq.ts`: float32 scales and zero points [rows, blocks], codes (one byte each) [rows, blocks · blockSize]. Stops when the mean error over all the rows no longer falls. */
  readonly hqqRowBlocks: (
    x: number,
    rows: number,
    cols: number,
    blockSize: number,
    bits: number,
    q: number,
    scales: number,
    zeroPoints: number,
  ) => void;

  // -- 16-bit floats ------------------------------------------------------------------------------
  /** Round to nearest even, then the converter's clamps: 0 < |x| < `minPositive` → ±minPositive, finite |x| > `maxFinite` → ±maxFinite. */
  readonly float16FromFloat32: (
    x: number,
    n: number,
    out: number,
    minPositive: number,
    maxFinite: number,
  ) => void;
  readonly float32FromFloat16: (x: number, n: number, out: number) => void;
  /** Round to nearest even; every NaN becomes 0x7fc0. */
  readonly bfloat16FromFloat32: (x: number, n: number, out: number) => void;
  readonly float32FromBfloat16: (x: number, n: number, out: number) => void;

  // -- magnitude pruning ----------------------------------------------------------------------------
  /** Adds counts of |x| bits >>> 15 to two u32[65536] histograms at `histogram` (their sum is the count). */
  readonly magnitudeHistogram: (x: number, n: number, histogram: number) => void;
  /** Among |x| bits with `bits >>> 15 === bucket`, adds counts of the low 15 bits to u32[32768]. */
  readonly magnitudeHistogramWithin: (
    x: number,
    n: number,
    bucket: number,
    histogram: number,
  ) => void;
  /** Adds counts of the |x| bits in [low, low + 65536) to u32[65536] at `result`, raises the i32 behind them to the largest |x| bits; returns how many are below `low` (≥ 0). */
  readonly magnitudeHistogramAround: (x: number, n: number, low: number, result: number) => number;
  /** Zeroes |x| bits < `thresholdBits`, and the first `ties` elements equal to it, in place; returns how many equal ones it zeroed (≤ ties). */
  readonly zeroBelow: (x: number, n: number, thresholdBits: number, ties: number) => number;
  /** Multiplies by a 0/1 byte mask, in place: x[i] = mask[i] ? x[i] : 0. */
  readonly applyMask: (x: number, n: number, mask: number) => void;
  /** Counts zeros (±0). */
  readonly countZeros: (x: number, n: number) => number;
  /** In each group of `m` along contiguous elements zeroes all but the `keep` largest magnitudes (ties: the lower index stays); `m` ≤ 4096, a shorter last group keeps as many. */
  readonly pruneNM: (x: number, n: number, keep: number, m: number) => void;

  // -- vectors (collectives, verification, structured norms) -------------------------------------------
  /** Σ a·b in float64. */
  readonly dot: (a: number, b: number, n: number) => number;
  /** y += alpha·x (float32). */
  readonly axpy: (alpha: number, x: number, y: number, n: number) => void;
  /** y += x (float32). */
  readonly accumulate: (x: number, y: number, n: number) => void;
  /** x *= alpha (float32). */
  readonly scale: (alpha: number, x: number, n: number) => void;
  /** out = scale · q, int8 to float32. */
  readonly float32FromInt8: (q: number, n: number, scale: number, out: number) => void;
  /** Σ|x| in float64. */
  readonly sumAbs: (x: number, n: number) => number;
  /** out[cols × rows] = transpose of x[rows × cols], elements of 4 bytes. */
  readonly transpose32: (x: number, rows: number, cols: number, out: number) => void;
  /** The same for elements of 1 byte. */
  readonly transpose8: (x: number, rows: number, cols: number, out: number) => void;

  // -- optimizers: one step in place on parameters `p`, gradients `g` and state, all float32[n]; `reference/optimizers.ts` names the scalars --
  readonly sgdStep: (p: number, g: number, n: number, learningRate: number, decay: number) => void;
  readonly sgdMomentumStep: (
    p: number,
    g: number,
    b: number,
    n: number,
    learningRate: number,
    decay: number,
    momentum: number,
    fresh: number,
    nesterov: number,
  ) => void;
  readonly adamStep: (
    p: number,
    g: number,
    m: number,
    v: number,
    n: number,
    stepSize: number,
    fresh1: number,
    beta2: number,
    fresh2: number,
    correction2: number,
    eps: number,
    decay: number,
    keep: number,
  ) => void;
  readonly lionStep: (
    p: number,
    g: number,
    m: number,
    n: number,
    learningRate: number,
    beta1: number,
    fresh1: number,
    beta2: number,
    fresh2: number,
    keep: number,
  ) => void;
}
