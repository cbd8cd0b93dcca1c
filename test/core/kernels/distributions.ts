/** @file The inputs of test/goldens/kernels/generate.py again, bit for bit. */
import { floatOf } from "../../../src/kernels/reference/rounding.ts";

/** The finalizer of MurmurHash3 on consecutive integers. */
function word(seed: number, i: number): number {
  let x = Math.imul(i + seed, 0x9e3779b9);
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Sums of four bytes about zero. */
function bell(seed: number, i: number): number {
  const x = word(seed, i);
  return (x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) + (x >>> 24) - 510;
}

function floatBits(bits: number): number {
  return floatOf(((bits >>> 23) & 255) >= 254 ? bits & 0x807fffff : bits);
}

const f = Math.fround;
const unit = (i: number) => (word(1, i) >>> 8) * 2 ** -24;
const step = (i: number) => (word(3, i) % 509) - 254;

const ELEMENTS: Readonly<Record<string, (i: number) => number>> = {
  bell: (i) => bell(4, i) * f(0.00013),
  uniform: (i) => f(unit(i) * 2) - 1,
  positive: (i) => f(unit(i) * f(2.9)) + f(0.1),
  negative: (i) => f(unit(i) * f(-2.9)) - f(0.1),
  outliers: (i) => bell(5, i) * (word(2, i) % 9973 === 0 ? f(0.7) : f(0.007)),
  halves: (i) => step(i) * 0.5,
  "scaled-halves": (i) => step(i) * 0.5 * f(0.0123),
  huge: (i) => bell(6, i) * f(2e35),
  tiny: (i) => bell(7, i) * f(1e-39),
  subnormal: (i) => bell(8, i) * f(1e-41),
  bits: (i) => floatBits(word(9, i)),
  zero: () => 0,
};

/** `count` float32 of the distribution `name`. */
export function distribution(name: string, count: number): Float32Array {
  const element = ELEMENTS[name];
  if (!element) throw new RangeError(`distribution "${name}" is unknown`);
  return Float32Array.from({ length: count }, (_, i) => element(i));
}

/** The bell of `seed`, times `scale`: the matrices of odd shape. */
export function scaledBell(seed: number, count: number, scale: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => bell(seed, i) * f(scale));
}
