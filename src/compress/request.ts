/** @file What a request asks for: steps or `auto`, bounds, verification. */
import type { Model } from "../onnx/model.ts";
import { presetFor } from "../quantize/presets.ts";
import type { Options, Step } from "./methods.ts";
import type { Bounds, CompressRequest } from "./types.ts";

export interface Wanted {
  operation: CompressRequest["operation"];
  /** As asked for, for the report. */
  asked: Options;
  /** `undefined`: auto. */
  steps: readonly Step[] | undefined;
  /** The method's options; with `auto`, those that hold for every candidate. */
  shared: Options;
  bounds: Bounds;
  verify: boolean;
}

/** What says how the method gets its data, and where; the report has it among what was asked. */
const ABOUT_DATA = ["calibration_dataset", "calibration_inputs", "calibration_rows", "executor"];

/** @throws RangeError for a dtype that is none of transformers.js' */
export function parseRequest({ operation, options }: CompressRequest, model: Model): Wanted {
  const { method, dtype, verify, min_sqnr_db, min_cosine, ...numeric } = options;
  const rest = Object.fromEntries(
    Object.entries(numeric).filter(([name]) => !ABOUT_DATA.includes(name)),
  );
  const bounds: Bounds = {};
  if (typeof min_sqnr_db === "number") bounds.min_sqnr_db = min_sqnr_db;
  if (typeof min_cosine === "number") bounds.min_cosine = min_cosine;
  const common = { operation, asked: options, bounds, verify: verify !== false, shared: rest };
  if (operation === "prune") {
    const steps = [{ method: "prune", options: method === undefined ? rest : { method, ...rest } }];
    return { ...common, steps };
  }
  if (operation === "simplify") return { ...common, steps: [{ method: operation, options: rest }] };
  if (typeof dtype === "string") {
    const steps = presetFor(dtype, model).passes.map((pass) => ({
      method: pass.method,
      options: { ...pass.options, ...rest },
    }));
    return { ...common, steps };
  }
  if (typeof method !== "string" || method === "auto") return { ...common, steps: undefined };
  return { ...common, steps: [{ method, options: rest }] };
}
