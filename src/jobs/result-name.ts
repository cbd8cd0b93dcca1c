/** @file What a compressed model is called: the original's name with what was done to it. */
import type { CompressRequest } from "../compress/types.ts";
import { presetFor } from "../quantize/presets.ts";

/** `resnet18.onnx` → `resnet18.int8.onnx`, `model_q4f16.onnx` for the presets (as transformers.js looks for them). */
export function resultName(name: string, { operation, options }: CompressRequest): string {
  const base = name.replace(/\.onnx$/i, "");
  if (typeof options["dtype"] === "string")
    return `${base}${presetFor(options["dtype"]).suffix}.onnx`;
  const done = { prune: "pruned", simplify: "simplified", quantize: mark(options) }[operation];
  return `${base}.${done}.onnx`;
}

function mark({ method, bits }: Record<string, unknown>): string {
  if (method === "float16") return "fp16";
  if (method === "bfloat16") return "bf16";
  if (method === "dynamic") return "int8";
  return method === "weight_only" ? `int${typeof bits === "number" ? bits : 8}` : "quantized";
}
