/** @file What a training step is made into: models to run, the layout of their vector, and the way back. */
import type { FieldType } from "../data/dataset.ts";
import type { Model } from "../onnx/model.ts";
import type { Layout } from "./layout.ts";

/** Names of the step's and evaluation's inputs and outputs that are not the model's own. */
export const LABEL = "hone.label";
/** The teacher's outputs, where they are data. */
export const TEACHER = "hone.teacher";
/** int64 [1]: what dropout draws its masks from. Only where the model has dropout. */
export const SEED = "hone.seed";
/** float32 scalar: the mean over the batch. */
export const LOSS = "hone.loss";
/** float32 scalar: how many were classified rightly. Only where the loss is a classification. */
export const CORRECT = "hone.correct";
/** float32 scalar: what the loss is the mean over and `hone.correct` is counted among. */
export const COUNT = "hone.count";

/** Element type and shape of one row of a field. */
export interface RowType {
  dtype: FieldType;
  shape: readonly number[];
}

export interface TrainingData {
  /**
   * What a batch holds, by the name of the step's input: the model's inputs that the loss depends on,
   * `hone.label`, `hone.teacher`. Each is fed as [rows, …shape] in its own element type.
   */
  fields: Readonly<Record<string, RowType>>;
}

export interface StepPlan {
  /** Inputs: parameters, buffers, batch fields, perhaps `hone.seed`; outputs: loss, counts, gradients, next buffers. */
  step: Model;
  /** The same without gradients and as in inference; outputs: loss and counts. */
  evaluate: Model;
  layout: Layout;
  /** Labels are indices of so many classes; `undefined` where they are something else, or there are none. */
  classes: number | undefined;
  /** The vector at the start: the model's weights and running statistics; adapters drawn from the seed. */
  initial: () => Promise<Float32Array>;
  /**
   * The result: the model with the vector's parameters and buffers in it, under their own names; adapters
   * merged, rounding in training made into QuantizeLinear and DequantizeLinear. The vector is read when the
   * result is written.
   * @throws RangeError when the vector's length is not the layout's, or no step was run that saw the activations' ranges
   */
  finish: (vector: Float32Array) => Promise<Model>;
}
