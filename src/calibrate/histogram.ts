/** @file Histograms of float32 values over equal bins: NumPy's edges, and NumPy's choice of the bin, in float32 throughout. */

const f32 = Math.fround;

export class Histogram {
  /** One more than there are bins. */
  readonly edges: Float32Array;
  readonly counts: Float64Array;
  readonly #first: number;
  readonly #last: number;

  /**
   * @param first the least value that is counted, a float32 number; the last bin holds `last` too
   * @returns `undefined` where so many bins are too small for float32
   */
  static between(first: number, last: number, bins: number): Histogram | undefined {
    const isPoint = first === last;
    const histogram = new Histogram(
      isPoint ? f32(first - 0.5) : first,
      isPoint ? f32(last + 0.5) : last,
      bins,
    );
    const { edges } = histogram;
    const rises = edges.every((edge, i) => i === 0 || (edges[i - 1] ?? Infinity) < edge);
    return rises ? histogram : undefined;
  }

  private constructor(first: number, last: number, bins: number) {
    this.#first = first;
    this.#last = last;
    this.counts = new Float64Array(bins);
    this.edges = edgesBetween(first, last, bins);
  }

  /** @param magnitudes counts |x| instead */
  add(values: Float32Array, magnitudes: boolean): void {
    const { counts, edges } = this;
    const first = this.#first;
    const last = this.#last;
    const bins = counts.length;
    const width = f32(last - first);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      const x = magnitudes ? Math.abs(value) : value;
      if (!(x >= first && x <= last)) continue;
      let bin = Math.trunc(f32(f32(f32(x - first) / width) * bins));
      if (bin === bins) bin--;
      // Rounding may have put it one beside its bin.
      if (x < (edges[bin] ?? 0)) bin--;
      if (bin !== bins - 1 && x >= (edges[bin + 1] ?? Infinity)) bin++;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }
}

function edgesBetween(first: number, last: number, bins: number): Float32Array {
  const width = f32(last - first);
  const step = f32(width / bins);
  const edges = new Float32Array(bins + 1);
  for (let i = 0; i < bins; i++) {
    // A step that is too small for float32 is multiplied later.
    const along = step === 0 ? f32(f32(i / bins) * width) : f32(i * step);
    edges[i] = along + first;
  }
  edges[bins] = last;
  return edges;
}
