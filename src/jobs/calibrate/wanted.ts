/** @file What a compression asks of its calibration: which rows, and who runs the model. */
import { calibrationSettings } from "../../calibrate/settings.ts";
import type { CompressRequest } from "../../compress/types.ts";
import type { FieldChoice } from "../../data/mapping.ts";
import { staticSettings } from "../../quantize/static/options.ts";
import type { ExecutorChoice } from "../measure/measurement.ts";

export interface CalibrationWanted {
  /** `auto` tries static beside other methods, and never on a runner. */
  method: "static" | "auto";
  dataset: string | undefined;
  inputs: Record<string, string | FieldChoice> | undefined;
  rows: number;
  executor: ExecutorChoice;
}

/** More rows tell little and cost time. */
export const DEFAULT_ROWS = 128;

/**
 * `undefined` where the request runs no model for ranges.
 * @throws RangeError for options of static quantization that do not go together
 */
export function calibrationWanted({
  operation,
  options,
}: CompressRequest): CalibrationWanted | undefined {
  const { method = options["dtype"] === undefined ? "auto" : undefined } = options;
  if (operation !== "quantize" || (method !== "static" && method !== "auto")) return undefined;
  if (method === "static") {
    staticSettings(options);
    calibrationSettings(options);
  }
  return {
    method,
    dataset: options["calibration_dataset"] as string | undefined,
    inputs: options["calibration_inputs"] as CalibrationWanted["inputs"],
    rows: (options["calibration_rows"] as number | undefined) ?? DEFAULT_ROWS,
    executor: (options["executor"] as ExecutorChoice | undefined) ?? "auto",
  };
}

/** Datasets that a compression reads: they cannot be deleted before its end. */
export function datasetsOf({ options }: Pick<CompressRequest, "options">): string[] {
  const dataset = options["calibration_dataset"];
  return typeof dataset === "string" ? [dataset] : [];
}
