/**
 * @file Seeded random choices that are the same on every platform.
 *
 * Generator: xoshiro128** 1.1 (Blackman & Vigna, "Scrambled linear pseudorandom number generators",
 * 2018), its state filled by SplitMix64 from the seed and a name. Choice of k out of n in one pass
 * and O(1) memory: Algorithm S (Knuth, TAOCP 2, 3.4.2).
 */

/** xoshiro128**: 32 random bits at a time, period 2^128 - 1. */
export class Xoshiro128 {
  readonly state: Int32Array;

  /** @param state four 32-bit words, not all zero */
  constructor(state: readonly number[] | Int32Array) {
    this.state = Int32Array.from(state);
  }

  /**
   * The stream of a name under a seed. Each weight has its own, so which elements it loses does not
   * depend on what else is pruned.
   */
  static of(seed: number, name: string): Xoshiro128 {
    const mix = splitMix64(BigInt(seed) ^ fnv1a64(name));
    const [a, b] = [mix(), mix()];
    return new Xoshiro128(
      [a, a >> 32n, b, b >> 32n].map((word) => Number(BigInt.asIntN(32, word))),
    );
  }

  /** The next 32 bits, from 0 to 2^32 - 1. */
  next(): number {
    const s = this.state;
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const x = c ^ a;
    const y = d ^ b;
    s[0] = a ^ y;
    s[1] = b ^ x;
    s[2] = x ^ (b << 9);
    s[3] = (y << 11) | (y >>> 21);
    return result;
  }
}

/** Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014. */
function splitMix64(seed: bigint): () => bigint {
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
  let state = wrap(seed);
  return () => {
    state = wrap(state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}

/** Fowler, Noll & Vo's hash of the name's UTF-8 bytes (RFC 9923). */
function fnv1a64(name: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/**
 * Picks exactly `count` of `total` items that pass by in order, every choice equally likely
 * (each step's probability is exact to 2^-32).
 */
export class SelectionSampler {
  readonly #random: Xoshiro128;
  #remaining: number;
  #wanted: number;

  constructor(random: Xoshiro128, total: number, count: number) {
    this.#random = random;
    this.#remaining = total;
    this.#wanted = count;
  }

  /** Zeroes the picked ones among the next `bits.length` items. */
  zero(bits: Int32Array): void {
    const state = this.#random.state;
    let remaining = this.#remaining;
    let wanted = this.#wanted;
    let [a = 0, b = 0, c = 0, d = 0] = state;
    for (let i = 0; i < bits.length; i++) {
      // xoshiro128** in registers: 109 million calls of next() cost three times as much
      const product = Math.imul(b, 5);
      const random = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
      // picked with probability wanted / remaining; without a branch, which would be guessed wrong half the time
      const picked = +(random * remaining < wanted * 0x1_0000_0000);
      bits[i] = (bits[i] ?? 0) & (picked - 1);
      wanted -= picked;
      remaining--;
    }
    state.set([a, b, c, d]);
    this.#remaining = remaining;
    this.#wanted = wanted;
  }
}

/**
 * Picks `count` of `total`.
 * @returns by index, 0 where it is picked and -1 where not
 */
export function sampleMarks(random: Xoshiro128, total: number, count: number): Int32Array {
  const marks = new Int32Array(total).fill(-1);
  new SelectionSampler(random, total, count).zero(marks);
  return marks;
}
