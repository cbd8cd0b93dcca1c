/**
 * @file The dtypes that transformers.js loads, by its names and file suffixes, as passes.
 *
 * Source: transformers.js, `DEFAULT_DTYPE_SUFFIX_MAPPING` and its quantization script.
 */

export interface PresetPass {
  method: "dynamic" | "weight_only" | "float16";
  options: Record<string, unknown>;
}

export interface Preset {
  /** Between the model's name and `.onnx`. */
  suffix: string;
  /** Run in this order. */
  passes: readonly PresetPass[];
}

const Q4: PresetPass = { method: "weight_only", options: { bits: 4, block_size: 32 } };
const BNB4: PresetPass = { method: "weight_only", options: { algorithm: "bnb4", quant_type: "nf4", block_size: 64 } };
const HALF: PresetPass = { method: "float16", options: { keep_io_types: true } };
const dynamic = (weight_type: string): PresetPass => ({ method: "dynamic", options: { weight_type } });

export const PRESETS: Readonly<Record<string, Preset>> = {
  fp16: { suffix: "_fp16", passes: [HALF] },
  q8: { suffix: "_quantized", passes: [dynamic("quint8")] },
  int8: { suffix: "_int8", passes: [dynamic("qint8")] },
  uint8: { suffix: "_uint8", passes: [dynamic("quint8")] },
  q4: { suffix: "_q4", passes: [Q4] },
  q4f16: { suffix: "_q4f16", passes: [Q4, HALF] },
  bnb4: { suffix: "_bnb4", passes: [BNB4] },
};

/** @throws RangeError listing the known names */
export function presetFor(dtype: string): Preset {
  const preset = PRESETS[dtype];
  if (!preset) {
    throw new RangeError(`quantize: dtype "${dtype}" is none of ${Object.keys(PRESETS).join(", ")}`);
  }
  return preset;
}
