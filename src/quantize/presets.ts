/**
 * @file The dtypes that transformers.js loads, by its names and file suffixes, as passes.
 *
 * Sources: `DEFAULT_DTYPE_SUFFIX_MAPPING` of transformers.js 4.3 (src/utils/dtypes.js), and for what each
 * dtype holds its scripts/quantize.py with that script's defaults.
 */
import { Scope } from "../graph/scope.ts";
import { nearestNames } from "../graph/selection.ts";
import type { Model } from "../onnx/model.ts";
import type { DynamicOptions } from "./dynamic.ts";
import type { Float16Options } from "./float16.ts";
import type { WeightOnlyOptions } from "./weight-only.ts";

export type PresetPass =
  | { method: "dynamic"; options: DynamicOptions }
  | { method: "weight_only"; options: WeightOnlyOptions }
  | { method: "float16"; options: Float16Options };

export interface Preset {
  /** Between the model's name and `.onnx`. */
  suffix: string;
  /** Run in this order; none for fp32. */
  passes: readonly PresetPass[];
}

/** RTN in symmetric blocks of 32 for MatMul, as MatMul4BitsQuantizer with the script's defaults. */
const blocks = (bits: 2 | 4): PresetPass => ({
  method: "weight_only",
  options: { bits, block_size: 32, is_symmetric: true, op_types_to_quantize: ["MatMul"] },
});

/**
 * The script's bounds are narrower than onnxruntime's: masks of −3.4e38 become −1e4, to which scores can
 * be added without an overflow. The operators that its copy of the converter blocks beyond the
 * default list (Resize, Cast, RandomNormalLike) need no blocking here.
 */
const HALF: PresetPass = {
  method: "float16",
  options: { keep_io_types: true, min_positive_val: 1e-7, max_finite_val: 1e4 },
};

const dynamic = (weight_type: "qint8" | "quint8"): PresetPass => ({
  method: "dynamic",
  options: { weight_type, per_channel: false, reduce_range: false },
});

/** `q8` here has unsigned weights, which every model can load; `presetFor` looks at the model. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  fp16: { suffix: "_fp16", passes: [HALF] },
  q8: { suffix: "_quantized", passes: [dynamic("quint8")] },
  int8: { suffix: "_int8", passes: [dynamic("qint8")] },
  uint8: { suffix: "_uint8", passes: [dynamic("quint8")] },
  q4: { suffix: "_q4", passes: [blocks(4)] },
  q4f16: { suffix: "_q4f16", passes: [blocks(4), HALF] },
  bnb4: {
    suffix: "_bnb4",
    passes: [
      {
        method: "weight_only",
        options: { algorithm: "bnb4", quant_type: "nf4", bits: 4, block_size: 64 },
      },
    ],
  },
  q2: { suffix: "_q2", passes: [blocks(2)] },
  q2f16: { suffix: "_q2f16", passes: [blocks(2), HALF] },
  fp32: { suffix: "", passes: [] },
};

/** transformers.js loads these too; ONNX Runtime's quantizers make no 1-bit weights of a float32 model. */
const NOT_MADE: ReadonlySet<string> = new Set(["q1", "q1f16"]);

/** Operators whose models get unsigned 8-bit weights: onnxruntime-web has no ConvInteger for signed ones. */
const UNSIGNED: ReadonlySet<string> = new Set([
  "Conv",
  "GroupQueryAttention",
  "MultiHeadAttention",
]);

/**
 * The passes of a dtype. `auto` is what transformers.js takes for it in WebAssembly, `q8`.
 * @param model decides between signed and unsigned weights for `q8`
 * @throws RangeError listing the known names
 */
export function presetFor(dtype: string, model?: Model): Preset {
  const name = dtype === "auto" ? "q8" : dtype;
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (!preset) {
    if (NOT_MADE.has(dtype)) {
      throw new RangeError(
        `quantize: dtype "${dtype}" is for models that were trained with 1-bit weights`,
      );
    }
    const known = Object.keys(PRESETS);
    throw new RangeError(
      `quantize: dtype "${dtype}" is none of auto, ${known.join(", ")}; nearest: ${nearestNames(dtype, known, 1).join()}`,
    );
  }
  if (!model) return preset;
  const present = opTypesOf(model);
  if (name === "q8" && UNSIGNED.isDisjointFrom(present)) {
    return { ...preset, passes: [dynamic("qint8")] };
  }
  return { ...preset, passes: preset.passes.filter((pass) => hasWork(pass, present)) };
}

/** False for a pass over op types that the model does not have: nobody asked for them by name. */
function hasWork({ method, options }: PresetPass, present: ReadonlySet<string>): boolean {
  if (method !== "weight_only" || !options.op_types_to_quantize) return true;
  return options.op_types_to_quantize.some((opType) => present.has(opType));
}

function opTypesOf(model: Model): Set<string> {
  const graphs = [...Scope.of(model.graph).walk()].map(({ graph }) => graph);
  return new Set(graphs.flatMap(({ nodes }) => nodes.map(({ opType }) => opType)));
}
