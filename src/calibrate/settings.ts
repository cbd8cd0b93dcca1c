/** @file How ranges are found from observed values: onnxruntime's calibration methods, by their names and defaults. */

export const CALIBRATION_METHODS = ["minmax", "percentile", "entropy"] as const;
export type CalibrationMethod = (typeof CALIBRATION_METHODS)[number];

/** Options of `quantize_static`, and of the calibrators behind it. */
export interface CalibrationOptions {
  /** Default minmax. */
  calibrate_method?: CalibrationMethod | undefined;
  /** percentile: the share of values, in percent, that the range holds (default 99.999). */
  percentile?: number | undefined;
  /** percentile, entropy: bins of the histogram (default 2048, 128). */
  calibration_bins?: number | undefined;
  /** minmax: the mean over the samples of each sample's least and largest value, not the extremes of all. */
  calibration_moving_average?: boolean | undefined;
  /** minmax, percentile: ranges around 0 (default: for percentile). */
  calibration_range_symmetric?: boolean | undefined;
}

export interface CalibrationSettings {
  method: CalibrationMethod;
  percentile: number;
  bins: number;
  symmetric: boolean;
  movingAverage: boolean;
}

/** Entropy compares with so many bins, as many as 8-bit magnitudes. */
export const QUANTIZED_BINS = 128;
export const MAX_BINS = 8192;
/** Runs on samples that are sent with a model; more tell little and cost time. */
export const MAX_SAMPLES = 512;

/** @throws RangeError for a number outside its bounds */
export function calibrationSettings(options: CalibrationOptions): CalibrationSettings {
  const method = options.calibrate_method ?? "minmax";
  if (!CALIBRATION_METHODS.includes(method)) {
    throw new RangeError(
      `quantize: calibrate_method is "${method}", must be one of ${CALIBRATION_METHODS.join(", ")}`,
    );
  }
  const percentile = options.percentile ?? 99.999;
  if (!(percentile >= 0 && percentile <= 100)) {
    throw new RangeError(`quantize: percentile is ${percentile}, must be 0 to 100`);
  }
  const bins = options.calibration_bins ?? (method === "percentile" ? 2048 : QUANTIZED_BINS);
  const least = method === "entropy" ? QUANTIZED_BINS : 1;
  if (!(Number.isInteger(bins) && bins >= least && bins <= MAX_BINS)) {
    throw new RangeError(`quantize: calibration_bins is ${bins}, must be ${least} to ${MAX_BINS}`);
  }
  return {
    method,
    percentile,
    bins,
    symmetric: options.calibration_range_symmetric ?? method === "percentile",
    movingAverage: options.calibration_moving_average ?? false,
  };
}
