/** @file Options of static quantization's calibration: how ranges are found, and on which rows. */
import { z } from "@hono/zod-openapi";
import { CALIBRATION_METHODS, type CalibrationOptions, MAX_BINS } from "../calibrate/settings.ts";
import { EXECUTORS } from "../jobs/measure/measurement.ts";
import type { OptionTable } from "./option-table.ts";
import { asJson, choice, flag, list, number, option } from "./option-text.ts";
import { place } from "./evaluate-options.ts";
import { TrainingRequest } from "./training-options.ts";
import { id } from "./training-parts.ts";

/** Rows that ranges are found on; more tell little and cost time. */
export const MAX_CALIBRATION_ROWS = 4096;

const STATIC = ["static"];
const WITH_DATA = ["auto", "static"];

/** How ranges are found from observed values. */
export const RANGE_OPTIONS = {
  calibrate_method: {
    option: choice(
      CALIBRATION_METHODS,
      "How ranges of activations are found (default minmax): the extremes, the share that `percentile` says, or the least loss of information.",
    ),
    methods: STATIC,
  },
  percentile: {
    option: number(
      z.number().min(0).max(100),
      "calibrate_method percentile: percent of the values that the range holds (default 99.999).",
      99.99,
    ),
    methods: STATIC,
  },
  calibration_bins: {
    option: number(
      z.number().int().min(1).max(MAX_BINS),
      "Bins of the histogram of percentile and entropy (default 2048 and 128; entropy chooses only where there are more than 128).",
      2048,
    ),
    methods: STATIC,
  },
  calibration_moving_average: {
    option: flag("minmax: the mean of the samples' extremes (default false: the extremes of all)."),
    methods: STATIC,
  },
  calibration_range_symmetric: {
    option: flag("Ranges around 0 (default: only for percentile)."),
    methods: STATIC,
  },
} as const satisfies OptionTable;

export const CALIBRATION_OPTIONS: OptionTable = {
  ...RANGE_OPTIONS,
  calibration_dataset: {
    option: option(
      id("dataset_2f9k4w"),
      {
        description:
          "A stored dataset whose rows the model is run on. Without it: the samples that are sent, else made-up inputs, which the report says. With it, `auto` tries static too.",
        example: "dataset_2f9k4w",
      },
      (text) => text,
    ),
    methods: WITH_DATA,
  },
  calibration_inputs: {
    option: option(
      TrainingRequest.shape.inputs.unwrap(),
      {
        description:
          "Fields of the dataset by the model's inputs, as in a training; default: the one of the input's name, else the only one that fits.",
        example: { x: { field: "image", scale: 0.00392156862745098 } },
      },
      asJson,
    ),
    methods: WITH_DATA,
  },
  calibration_rows: {
    option: number(
      z.number().int().min(1).max(MAX_CALIBRATION_ROWS),
      "The first so many rows (default 128).",
      128,
    ),
    methods: WITH_DATA,
  },
  executor: {
    option: choice(
      EXECUTORS,
      "Where the model is run for its ranges: `auto` (default): in the Worker where it fits, else on a runner; `edge`; `runner`.",
    ),
    methods: STATIC,
  },
};

const ranges = Object.entries(RANGE_OPTIONS).map(([name, { option: each }]) => [
  name,
  each.schema.optional(),
]);

/** The body of POST /v1/models/{id}/calibrate. */
export const Calibrate = z
  .strictObject({
    dataset: id("dataset_2f9k4w")
      .optional()
      .openapi({ description: "Whose rows the model is run on; default: made-up inputs." }),
    inputs: TrainingRequest.shape.inputs,
    limit: z
      .number()
      .int()
      .min(1)
      .max(MAX_CALIBRATION_ROWS)
      .optional()
      .openapi({ description: "The first so many rows (default 128)." }),
    op_types_to_quantize: list("Values of these op types only.", "Conv").schema.optional(),
    ...(Object.fromEntries(ranges) as Record<keyof CalibrationOptions, z.ZodOptional<z.ZodType>>),
    ...place,
  })
  .openapi("CalibrateRequest", { example: { dataset: "dataset_2f9k4w" } });
