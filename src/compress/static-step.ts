/** @file Static quantization as a step: the model as it is now is run for the ranges of its activations, then quantized. */
import {
  type Calibration,
  CalibrationError,
  type CalibrationHooks,
  calibrate,
} from "../calibrate/calibrate.ts";
import { type CalibrationInputs, madeUpInputs } from "../calibrate/inputs.ts";
import { observedValues } from "../calibrate/observed.ts";
import { type CalibrationOptions, calibrationSettings } from "../calibrate/settings.ts";
import type { PassReport } from "../graph/report.ts";
import type { Model } from "../onnx/model.ts";
import { quantizeStatic, type StaticOptions } from "../quantize/static.ts";
import { staticSettings } from "../quantize/static/options.ts";
import { prepareStatic } from "../quantize/static/prepare.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { PassTools } from "./methods.ts";
import { CompressRefusal } from "./types.ts";

type Options = StaticOptions & CalibrationOptions;

/** Finds the ranges of a prepared model's activations. */
export type Calibrate = (model: Model, options: Options) => Promise<Calibration>;

/** @throws CompressRefusal where the model cannot be run for its ranges */
export async function runStatic(
  model: Model,
  options: Options,
  { arena, calibrate: find }: PassTools,
): Promise<PassReport> {
  // What is wrong with the options is said before the model runs.
  staticSettings(options);
  if (!find) throw new CompressRefusal("not_applicable", "static needs ONNX Runtime, to calibrate");
  prepareStatic(model);
  const calibration = await find(model, options);
  const report = await quantizeStatic(model, options, calibration, arena);
  const { method } = calibrationSettings(options);
  report.notes.unshift(
    calibration.isMadeUp
      ? `the ranges of activations come from made-up inputs (${calibration.inputs}), not from data: give samples or a calibration_dataset to trust the result`
      : `the ranges of activations come from ${calibration.inputs} (${method})`,
  );
  return report;
}

/**
 * Runs the model here.
 * @param byteLength of the model
 * @param inputs without them, inputs are made up
 */
export function calibrateHere(
  runtime: Runtime | undefined,
  byteLength: number,
  inputs: CalibrationInputs | undefined,
  hooks: CalibrationHooks,
): Calibrate {
  return async (model, options) => {
    const settings = calibrationSettings(options);
    const observed = await observedValues(model, options);
    if (!runtime) throw new CompressRefusal("not_applicable", "static needs ONNX Runtime");
    if (byteLength > runtime.maxModelBytes) {
      throw new CompressRefusal(
        "no_executor",
        `static runs the model for the ranges of its activations; it is ${byteLength} bytes, ONNX Runtime takes at most ${runtime.maxModelBytes} here: store the model and connect a runner`,
      );
    }
    try {
      const fed = inputs ?? (await madeUpInputs(model));
      return await calibrate(model, observed, settings, fed, runtime, hooks);
    } catch (error) {
      throw refusalOf(error, inputs === undefined) ?? error;
    }
  };
}

function refusalOf(error: unknown, isMadeUp: boolean): CompressRefusal | undefined {
  if (error instanceof CalibrationError) {
    const { message, isTooLarge } = error;
    return isTooLarge
      ? new CompressRefusal(
          "no_executor",
          `static: ${message}; store the model and connect a runner`,
        )
      : new CompressRefusal("does_not_load", `static: ${message}`);
  }
  if (isMadeUp && error instanceof RangeError) {
    return new CompressRefusal("not_applicable", `static: ${error.message}; give samples`);
  }
  return undefined;
}
