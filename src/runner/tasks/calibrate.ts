/**
 * @file Ranges of a model's activations, for static quantization: on a dataset's rows, on given samples, or else on
 * made-up inputs.
 */
import { z } from "zod";
import { calibrate, CalibrationError } from "../../calibrate/calibrate.ts";
import { type CalibrationInputs, givenInputs, madeUpInputs } from "../../calibrate/inputs.ts";
import { observedValues } from "../../calibrate/observed.ts";
import { CALIBRATION_METHODS, calibrationSettings, MAX_SAMPLES } from "../../calibrate/settings.ts";
import type { Model } from "../../onnx/model.ts";
import { readModel } from "../../onnx/read-model.ts";
import { MemorySource } from "../../onnx/source.ts";
import { liftOpset } from "../../opset/lift.ts";
import { prepareStatic } from "../../quantize/static/prepare.ts";
import { decodeSamples } from "../../verify/samples.ts";
import type { TaskProgram } from "../perform.ts";
import type { Task } from "../protocol.ts";
import { TaskFault, type TaskKit } from "../task-kit.ts";
import { batches, RowsSpec } from "./rows.ts";
import { readSpec, requireSource } from "./spec.ts";

export const CalibrateSpec = z.object({
  backend: z.string().optional(),
  calibrate_method: z.enum(CALIBRATION_METHODS).optional(),
  percentile: z.number().optional(),
  calibration_bins: z.number().int().optional(),
  calibration_moving_average: z.boolean().optional(),
  calibration_range_symmetric: z.boolean().optional(),
  op_types_to_quantize: z.array(z.string()).optional(),
  /** The opset that the model is lifted to, as it will be before it is quantized. */
  opset: z.number().int().optional(),
  /** The rows, where a dataset has them. */
  data: RowsSpec.optional(),
  /** What they are, for reports. */
  label: z.string().max(200).optional(),
});
export type CalibrateSpec = z.infer<typeof CalibrateSpec>;

export const calibrateTask: TaskProgram = async ({ backend, runtime }, task, kit) => {
  const spec = readSpec(CalibrateSpec, task);
  kit.onProgress(0, "fetching the model");
  const model = await readModel(new MemorySource(await kit.read(requireSource(task, "model"))));
  try {
    if (spec.opset !== undefined) await liftOpset(model, spec.opset);
    prepareStatic(model);
    const observed = await observedValues(model, spec);
    const inputs = await inputsOf(model, task, spec, kit);
    const settings = calibrationSettings(spec);
    const found = await calibrate(model, observed, settings, inputs, runtime, {
      signal: kit.signal,
      onProgress: (fraction) => kit.onProgress(fraction, "finding ranges"),
    });
    return {
      backend,
      inputs: found.inputs,
      made_up: found.isMadeUp,
      runs: inputs.runs,
      values: Object.fromEntries(found.ranges),
      unusable: Object.fromEntries(found.unusable),
    };
  } catch (error) {
    // A device with more memory may have room for what this one has not.
    const isFault = error instanceof CalibrationError && !error.isTooLarge;
    if (isFault || error instanceof RangeError) throw new TaskFault(error.message);
    throw error;
  }
};

async function inputsOf(
  model: Model,
  task: Task,
  { data, label }: CalibrateSpec,
  kit: TaskKit,
): Promise<CalibrationInputs> {
  if (data) return rowInputs(task, data, label ?? `${data.rows} rows`, kit);
  const { samples } = task.sources;
  if (samples) return givenInputs(decodeSamples(await kit.read(samples), model, MAX_SAMPLES));
  return await madeUpInputs(model);
}

/** A dataset's rows, batch by batch. */
export function rowInputs(
  task: Task,
  spec: z.infer<typeof RowsSpec>,
  label: string,
  kit: TaskKit,
): CalibrationInputs {
  return {
    label,
    isMadeUp: false,
    runs: Math.ceil(spec.rows / spec.batch),
    choices: 1,
    async *each() {
      for await (const { feeds } of batches(task, spec, kit)) yield feeds;
    },
  };
}
