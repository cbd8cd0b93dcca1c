/** @file Seeded numbers for synthetic inputs; the same on every machine. */

/** Waves that make up most of a signal with extent (an image, a sound). */
const WAVES = 4;

export class Noise {
  #state: number;
  #spare: number | undefined;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1): mulberry32 by Tommy Ettinger. */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** Standard normal, by the polar method (Marsaglia 1964). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = v * factor;
      return u * factor;
    }
  }

  /**
   * Row-major values of about unit variance: normal noise, and for shapes with extent (a last axis of 32 or more,
   * or rank 4) mostly smooth waves over the last two axes, since nets for images and sound ignore pure noise.
   */
  signal(dims: readonly number[]): Float32Array {
    const width = dims.at(-1) ?? 1;
    const height = dims.length > 2 ? (dims.at(-2) ?? 1) : 1;
    const count = dims.reduce((product, dim) => product * dim, 1);
    const values = new Float32Array(count);
    const smooth = dims.length >= 4 || width >= 32;
    const plane = Math.max(width * height, 1);
    for (let start = 0; start < count; start += plane) {
      if (smooth) this.#addWaves(values.subarray(start, start + plane), width);
      for (let i = start; i < start + plane; i++) {
        values[i] = (values[i] ?? 0) + (smooth ? 0.3 : 1) * this.normal();
      }
    }
    return values;
  }

  #addWaves(plane: Float32Array, width: number): void {
    for (let wave = 0; wave < WAVES; wave++) {
      const alongX = this.normal() * 0.3;
      const alongY = this.normal() * 0.3;
      const phase = this.uniform() * 2 * Math.PI;
      for (let i = 0; i < plane.length; i++) {
        const angle = alongX * (i % width) + alongY * Math.floor(i / width) + phase;
        plane[i] = (plane[i] ?? 0) + Math.sin(angle) / Math.sqrt(WAVES / 2);
      }
    }
  }
}
