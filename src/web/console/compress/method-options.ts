/** @file Which options each method has; what the form shows. A test holds it against the routes' tables. */

const WEIGHTS = ["nodes_to_quantize", "nodes_to_exclude", "op_types_to_quantize"];
const BLOCKS = ["block_size", "is_symmetric", "accuracy_level"];
const HALF = ["keep_io_types", "op_block_list", "node_block_list"];
const RANGE = ["min_positive_val", "max_finite_val"];
const ROWS = ["calibration_dataset", "calibration_inputs", "calibration_rows"];
const PRUNED = ["amount", "storage", "nodes_to_prune", "nodes_to_exclude", "op_types"];

/** By operation and method; the bounds (`min_sqnr_db`, `min_cosine`, `verify`) belong to all. */
export const METHOD_OPTIONS = {
  quantize: {
    auto: [...WEIGHTS, ...ROWS],
    dynamic: ["weight_type", "per_channel", "reduce_range", ...WEIGHTS],
    static: [
      ...ROWS,
      "activation_type",
      "weight_type",
      "per_channel",
      "reduce_range",
      "activation_symmetric",
      "weight_symmetric",
      "calibrate_method",
      "percentile",
      "calibration_bins",
      "calibration_moving_average",
      "calibration_range_symmetric",
      "quant_format",
      "executor",
      ...WEIGHTS,
    ],
    weight_only: [
      "bits",
      ...BLOCKS,
      "quant_format",
      "algorithm",
      "quant_type",
      "weight_type",
      "per_channel",
      ...WEIGHTS,
    ],
    float16: [...HALF, ...RANGE],
    bfloat16: HALF,
  },
  prune: {
    l1_unstructured: [...PRUNED, "amounts"],
    random_unstructured: [...PRUNED, "amounts", "seed"],
    ln_structured: [...PRUNED, "amounts", "n", "dim"],
    random_structured: [...PRUNED, "amounts", "dim", "seed"],
    global_unstructured: PRUNED,
    n_m: [...PRUNED, "pattern"],
  },
  // It has no methods.
  simplify: {
    "": [
      "input_shapes",
      "passes",
      "skip_passes",
      "fold_constants_limit",
      "fuse_batch_normalization",
    ],
  },
} as const satisfies Record<string, Record<string, readonly string[]>>;

export const BOUNDS = ["min_sqnr_db", "min_cosine", "verify"];

/** Seen at once; the others unfold. */
export const FIRST = [
  "bits",
  "block_size",
  ...ROWS,
  "calibrate_method",
  "amount",
  "pattern",
  "input_shapes",
  "min_sqnr_db",
  "min_cosine",
];
