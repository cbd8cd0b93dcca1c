/** @file Options of quantization, under the names of onnxruntime.quantization and transformers.js. */
import { z } from "@hono/zod-openapi";
import { PRESETS } from "../quantize/presets.ts";
import { calibrationWanted } from "../jobs/calibrate/wanted.ts";
import { CALIBRATION_OPTIONS } from "./calibration-options.ts";
import {
  type OptionTable,
  optionsRefused,
  refuseOptionsOfOthers,
  schemasOf,
} from "./option-table.ts";
import { asList, choice, flag, list, number, option } from "./option-text.ts";
import { optionError } from "../problem/option-error.ts";

const METHODS = ["auto", "dynamic", "static", "weight_only", "float16", "bfloat16"];

/** Which methods an option belongs to. */
const ALL = ["auto", "dynamic", "static", "weight_only"];
const EIGHT_BIT = ["dynamic", "static", "weight_only", "dtype"];
const BLOCKS = ["weight_only", "dtype"];
const HALF = ["float16", "bfloat16", "dtype"];

export const QUANTIZE_OPTIONS: OptionTable = {
  method: {
    option: choice(
      METHODS,
      "`auto` (default) tries the methods that fit and keeps the smallest result that stays close.",
    ),
    methods: undefined,
  },
  dtype: {
    option: choice(Object.keys(PRESETS), "A preset by transformers.js' name, instead of `method`."),
    methods: undefined,
  },
  weight_type: {
    option: choice(["qint8", "quint8"], "Type of 8-bit weights (default qint8)."),
    methods: ["dynamic", "static", "weight_only"],
  },
  activation_type: {
    option: choice(["qint8", "quint8"], "Type of 8-bit activations (default qint8)."),
    methods: ["static"],
  },
  activation_symmetric: {
    option: flag("Ranges of activations around 0 (default false)."),
    methods: ["static"],
  },
  weight_symmetric: {
    option: flag("Ranges of weights around 0 (default: for qint8)."),
    methods: ["static"],
  },
  per_channel: {
    option: flag("One scale per channel (default: only for weight_only)."),
    methods: EIGHT_BIT,
  },
  reduce_range: {
    option: flag("7-bit weights, for CPUs whose 8-bit products saturate (default false)."),
    methods: ["dynamic", "static"],
  },
  nodes_to_quantize: {
    option: list("Only these nodes, by name.", "/fc1/MatMul"),
    methods: [...ALL, "dtype"],
  },
  nodes_to_exclude: {
    option: list("Never these nodes, by name.", "/lm_head/MatMul"),
    methods: [...ALL, "dtype"],
  },
  op_types_to_quantize: {
    option: list("Only these op types.", "MatMul"),
    methods: [...ALL, "dtype"],
  },
  bits: {
    option: option(
      z.union([z.literal(2), z.literal(4), z.literal(8)]),
      {
        type: "integer",
        enum: [2, 4, 8],
        description: "Bits per weight (default 8).",
        example: 4,
      },
      (text) => (/^[248]$/.test(String(text)) ? Number(text) : text),
    ),
    methods: ["weight_only"],
  },
  block_size: {
    option: number(
      z.number().int().min(1),
      "Weights that share a scale: 16, 32, 64, 128 or 256 (default 32).",
      32,
    ),
    methods: BLOCKS,
  },
  is_symmetric: { option: flag("Blocks without zero points (default false)."), methods: BLOCKS },
  accuracy_level: {
    option: number(
      z.number().int().min(0).max(4),
      "MatMulNBits' accuracy_level (default 0: unset).",
      4,
    ),
    methods: BLOCKS,
  },
  quant_format: {
    option: choice(
      ["QOperator", "QDQ"],
      "weight_only: MatMulNBits and GatherBlockQuantized, or DequantizeLinear with blocks (default QOperator); static: QDQ.",
    ),
    methods: ["static", "weight_only"],
  },
  algorithm: {
    option: choice(["rtn", "hqq", "bnb4"], "How blocks are quantized (default rtn)."),
    methods: ["weight_only"],
  },
  quant_type: {
    option: choice(["nf4", "fp4"], "The code of bnb4 (default nf4)."),
    methods: ["weight_only"],
  },
  keep_io_types: {
    option: option(
      z.union([z.boolean(), z.array(z.string())]),
      {
        description: "Graph inputs and outputs stay float32: all, none (default), or these.",
        example: true,
      },
      (text) => (text === "true" || text === "" ? true : text === "false" ? false : asList(text)),
    ),
    methods: HALF,
  },
  op_block_list: {
    option: list("Op types that stay float32, instead of the usual list.", "Resize"),
    methods: HALF,
  },
  node_block_list: {
    option: list("Nodes that stay float32, by name.", "/head/Softmax"),
    methods: HALF,
  },
  min_positive_val: {
    option: number(
      z.number().positive(),
      "Smaller magnitudes become this one (default 5.96e-8).",
      5.96e-8,
    ),
    methods: ["float16", "dtype"],
  },
  max_finite_val: {
    option: number(
      z.number().positive(),
      "Larger finite magnitudes become this one (default 65504).",
      65504,
    ),
    methods: ["float16", "dtype"],
  },
  ...CALIBRATION_OPTIONS,
};

const { names, json, query } = schemasOf(QUANTIZE_OPTIONS);

export const QUANTIZE_OPTION_NAMES = names;
export const QuantizeOptions = json.openapi("QuantizeOptions");
export const QuantizeQuery = query;

/**
 * The options as the engine takes them.
 * @throws ApiError for options that the method does not have, and for what is said of a dataset that is not given
 */
export function quantizeRequest(given: Record<string, unknown>) {
  const { method = "auto", dtype } = given;
  if (dtype !== undefined && given["method"] !== undefined) {
    throw optionsRefused(
      ["method"],
      "dtype stands for a method with its options: give one of the two",
    );
  }
  const chosen = dtype === undefined ? String(method) : "dtype";
  const label = dtype === undefined ? `method=${chosen}` : `dtype=${JSON.stringify(dtype)}`;
  refuseOptionsOfOthers(QUANTIZE_OPTIONS, given, chosen, label);
  const needless = ["calibration_inputs", "calibration_rows"].filter((name) => name in given);
  if (needless.length > 0 && given["calibration_dataset"] === undefined) {
    throw optionsRefused(needless, "needs calibration_dataset");
  }
  const request = { operation: "quantize" as const, options: given };
  try {
    calibrationWanted(request);
  } catch (error) {
    throw optionError(error) ?? error;
  }
  return request;
}
