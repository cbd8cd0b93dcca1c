/** @file How close two runs' outputs are: cosine, SQNR, largest error, agreement of the largest element. */
import type { OutputComparison } from "../compress/types.ts";
import { dataTypeName } from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import { elements } from "./elements.ts";
import { isFloat } from "./input-values.ts";

/** What an exact float output reports: float32 rounding alone gives about 140. */
export const EXACT_SQNR_DB = 200;
/** What an output reports that has NaN, Inf or values where the original has none. */
export const LOST_SQNR_DB = -100;
/** float16's largest number stands for infinity after a conversion that clamps. */
const FLOAT16_MAX = 65504;
/**
 * An output that stays below the first number is blank: a detector that found nothing answers with what rounding left
 * of a saturated sigmoid, 1e-7, and the SQNR of that means nothing. The result may then differ by the second.
 */
const BLANK_PEAK = 1e-5;
const BLANK_ERROR = 1e-4;
/** Rows longer than this are no classes. */
const MAX_CLASSES = 1_000_000;

/** One output over all samples; each number is that of the worst sample. */
export class OutputComparer {
  readonly #name: string;
  #dataType = "";
  #dims: number[] = [];
  #cosine: number | null = null;
  #sqnrDb: number | null = null;
  #maxAbsError: number | null = null;
  #rows = 0;
  #agreeing = 0;
  #count = 0;
  #equal = 0;
  #float = false;
  /** Why the output is unusable; the numbers then say so too. */
  failure: string | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds one sample's output of the original and of the result. */
  add(original: HostTensor, result: HostTensor | undefined): void {
    this.#float = isFloat(original.dataType);
    if (!result) return this.#lose("is missing");
    this.#dataType = dataTypeName(result.dataType);
    this.#dims = result.dims;
    const refusal = mismatch(original, result);
    if (refusal) return this.#lose(refusal);
    const a = elements(original);
    const b = elements(result);
    if (this.#float) this.#addFloats(a, b, original.dims);
    else this.#addExact(a, b, original, result);
  }

  #addFloats(a: ArrayLike<number>, b: ArrayLike<number>, dims: number[]): void {
    const sums = floatSums(a, b);
    if (sums.lost !== undefined) {
      return this.#lose(`has ${sums.lost} where the original has none`);
    }
    const { dot, signal, power, error, peak, maxError } = sums;
    this.#maxAbsError = Math.max(this.#maxAbsError ?? 0, maxError);
    if (isClassifierLike(dims)) {
      const { rows, agreeing } = argmaxAgreement(a, b, dims.at(-1) ?? 1);
      this.#rows += rows;
      this.#agreeing += agreeing;
    }
    if (peak < BLANK_PEAK && maxError < BLANK_ERROR) return;
    if (a.length > 1) {
      const cosine = signal === 0 || power === 0 ? 0 : dot / Math.sqrt(signal) / Math.sqrt(power);
      this.#cosine = Math.min(this.#cosine ?? 1, error === 0 ? 1 : Math.min(cosine, 1));
    }
    this.#sqnrDb = Math.min(this.#sqnrDb ?? EXACT_SQNR_DB, decibels(signal, error));
  }

  #addExact(
    a: ArrayLike<number>,
    b: ArrayLike<number>,
    original: HostTensor,
    result: HostTensor,
  ): void {
    const same = original.dataType === result.dataType && bytesEqual(original.bytes, result.bytes);
    for (let i = 0; i < a.length; i++) {
      const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
      this.#maxAbsError = Math.max(this.#maxAbsError ?? 0, difference);
      if (same || difference === 0) this.#equal++;
    }
    this.#count += a.length;
  }

  #lose(reason: string): void {
    this.failure ??= `output "${this.#name}" ${reason}`;
    if (this.#float) [this.#cosine, this.#sqnrDb] = [0, LOST_SQNR_DB];
  }

  finish(): OutputComparison {
    return {
      name: this.#name,
      dataType: this.#dataType,
      dims: this.#dims,
      cosine: this.failure && this.#float ? 0 : this.#cosine,
      sqnrDb: this.failure && this.#float ? LOST_SQNR_DB : this.#sqnrDb,
      maxAbsError: this.failure ? null : this.#maxAbsError,
      argmaxAgreement: this.#rows > 0 ? this.#agreeing / this.#rows : null,
      equal: this.#count > 0 ? this.#equal / this.#count : null,
    };
  }
}

/** Why two outputs cannot be compared element by element, or `undefined`. */
function mismatch(original: HostTensor, result: HostTensor): string | undefined {
  const [a, b] = [original, result].map(({ dims }) => `[${dims.join(", ")}]`);
  if (a !== b) return `has shape ${b}, the original's has ${a}`;
  if (isFloat(original.dataType) !== isFloat(result.dataType)) {
    return `is ${dataTypeName(result.dataType)}, the original's is ${dataTypeName(original.dataType)}`;
  }
  return undefined;
}

interface FloatSums {
  /** Σab, Σa², Σb², Σ(a − b)² over the elements that are finite in both. */
  dot: number;
  signal: number;
  power: number;
  error: number;
  /** The largest |a|. */
  peak: number;
  maxError: number;
  /** What the result has where the original has something else that is no error of rounding, if anywhere. */
  lost: "NaN" | "Inf" | "a number" | undefined;
}

function floatSums(a: ArrayLike<number>, b: ArrayLike<number>): FloatSums {
  const sums: FloatSums = {
    dot: 0,
    signal: 0,
    power: 0,
    error: 0,
    peak: 0,
    maxError: 0,
    lost: undefined,
  };
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    const difference = x - y;
    if (Number.isFinite(difference)) {
      sums.dot += x * y;
      sums.signal += x * x;
      sums.power += y * y;
      sums.error += difference * difference;
      sums.peak = Math.max(sums.peak, Math.abs(x));
      sums.maxError = Math.max(sums.maxError, Math.abs(difference));
    } else if (!agrees(x, y)) {
      sums.lost ??= Number.isNaN(y) ? "NaN" : Number.isFinite(y) ? "a number" : "Inf";
    }
  }
  return sums;
}

/** NaN where NaN was, an infinity of the same sign, or what a clamping conversion makes of it; a NaN may become a number. */
function agrees(x: number, y: number): boolean {
  if (Number.isNaN(x)) return !(Math.abs(y) === Infinity);
  if (Math.abs(x) === Infinity) return Math.sign(x) === Math.sign(y) && Math.abs(y) >= FLOAT16_MAX;
  return false;
}

/** 10·log10(signal / error), within the two bounds. */
function decibels(signal: number, error: number): number {
  if (error === 0) return EXACT_SQNR_DB;
  const ratio = 10 * Math.log10(signal / error);
  return Math.max(LOST_SQNR_DB, Math.min(EXACT_SQNR_DB, ratio));
}

/** Rows of scores: [rows, classes] or [batch, steps, classes]. */
function isClassifierLike(dims: readonly number[]): boolean {
  const classes = dims.at(-1) ?? 1;
  return (dims.length === 2 || dims.length === 3) && classes > 1 && classes <= MAX_CLASSES;
}

function argmaxAgreement(a: ArrayLike<number>, b: ArrayLike<number>, classes: number) {
  let agreeing = 0;
  for (let row = 0; row < a.length; row += classes) {
    if (argmax(a, row, classes) === argmax(b, row, classes)) agreeing++;
  }
  return { rows: a.length / classes, agreeing };
}

function argmax(values: ArrayLike<number>, start: number, count: number): number {
  let best = start;
  for (let i = start + 1; i < start + count; i++) {
    if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  }
  return best;
}

function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
