/** @file The interpolation weights of Resize along one axis, as ONNX Runtime's CPU kernels compute them in float32. */

export interface Interpolation {
  mode: "nearest" | "linear" | "cubic";
  /** coordinate_transformation_mode */
  coordinates: string;
  /** nearest_mode */
  rounding: string;
  cubicCoefficient: number;
  /** Cubic: weights outside of the input are zero, the others are scaled up to sum 1. */
  excludesOutside: boolean;
}

/** The matrix [to, from] by which an axis of `from` elements is resized to `to`. `scale`: to per from. */
export function interpolationWeights(
  method: Interpolation,
  from: number,
  to: number,
  scale: number,
): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const row = weights.subarray(i * from, (i + 1) * from);
    const place = coordinate(method.coordinates, i, scale, from, to);
    if (method.mode === "nearest") row[nearest(method.rounding, place, from, scale)] = 1;
    else if (method.mode === "linear") addLinear(row, place);
    else addCubic(row, place, method);
  }
  return weights;
}

const f = Math.fround;

/** Where output element `i` lies among the input's elements. */
function coordinate(mode: string, i: number, scale: number, from: number, to: number): number {
  const step = f(scale);
  switch (mode) {
    case "asymmetric":
      return f(i / step);
    case "align_corners":
      return to === 1 ? 0 : f(f(i * (from - 1)) / (to - 1));
    case "pytorch_half_pixel":
      return to > 1 ? f(f(f(i + 0.5) / step) - 0.5) : 0;
    case "half_pixel_symmetric": {
      const adjustment = f(to / f(step * from));
      const offset = f(f(from / 2) * f(1 - adjustment));
      return f(f(offset + f(f(i + 0.5) / step)) - 0.5);
    }
    default:
      return f(f(f(i + 0.5) / step) - 0.5);
  }
}

function nearest(rounding: string, place: number, from: number, scale: number): number {
  return Math.min(Math.max(rounded(rounding, place, scale), 0), from - 1);
}

function rounded(rounding: string, place: number, scale: number): number {
  switch (rounding) {
    case "floor":
      return Math.floor(place);
    case "ceil":
      return Math.ceil(place);
    case "round_prefer_ceil":
      return Math.floor(place + 0.5);
    // Upsample's own rule.
    case "simple":
      return scale < 1 ? Math.ceil(place) : Math.trunc(place);
    default:
      return Math.ceil(place - 0.5);
  }
}

function addLinear(row: Float32Array, place: number): void {
  const last = row.length - 1;
  const inside = Math.min(Math.max(place, 0), last);
  const low = Math.floor(inside);
  const high = Math.min(low + 1, last);
  const share = f(inside - low);
  row[low] = (row[low] ?? 0) + 1 - share;
  row[high] = (row[high] ?? 0) + share;
}

/** Keys' cubic convolution (1981) over four neighbours; those outside count as the edge. */
function addCubic(row: Float32Array, place: number, method: Interpolation): void {
  const { cubicCoefficient: a, excludesOutside } = method;
  const low = Math.floor(place);
  const share = f(place - low);
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const taps = [far(share + 1), near(share), near(1 - share), far(2 - share)];
  const isInside = (index: number): boolean => index >= 0 && index < row.length;
  const kept = taps.map((tap, i) => (excludesOutside && !isInside(low - 1 + i) ? 0 : tap));
  const total = excludesOutside ? kept.reduce((sum, tap) => sum + tap, 0) : 1;
  kept.forEach((tap, i) => {
    const index = Math.min(Math.max(low - 1 + i, 0), row.length - 1);
    row[index] = (row[index] ?? 0) + tap / total;
  });
}
