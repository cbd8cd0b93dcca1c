/** @file Binary cross-entropy of each element of an output against 0 and 1, or anything between. */
import { DataType } from "../../onnx/data-type.ts";
import type { LossSettings } from "./loss-options.ts";
import {
  beforeFinal,
  cast,
  labelLike,
  type LossContext,
  type LossValue,
  meanAll,
  sizeOf,
  sumAll,
} from "./loss-value.ts";

/** Probabilities are kept this far from 0 and 1, where a model gives them and not logits. */
export const MARGIN = 1e-7;

/**
 * The mean over all elements. From logits z, which are also found behind a final Sigmoid:
 * log(1 + exp(z)) − y·z. The prediction is right where it is on the label's side of a half.
 *
 * @throws RangeError when output and label have not as many elements a row
 */
export function binaryCrossEntropy(
  context: LossContext,
  output: string,
  label: string,
  { fromLogits }: Pick<LossSettings, "fromLogits">,
): LossValue {
  const { emitter } = context;
  const target = labelLike(emitter, output, label);
  const final = fromLogits === true ? undefined : beforeFinal(context, output, ["Sigmoid"]);
  const logits = final?.inputs[0] ?? (fromLogits === false ? undefined : output);
  let loss: string;
  if (logits === undefined) loss = ofProbabilities(context, output, target);
  else {
    const z = emitter.reshapeLike(logits, target);
    const linear = emitter.emit("Mul", [z, target]);
    loss = emitter.emit("Sub", [emitter.emit("Softplus", [z]), linear]);
  }
  const half = emitter.float(0.5);
  const predicted = emitter.emit("Greater", [
    logits ?? output,
    logits === undefined ? half : emitter.float(0),
  ]);
  const right = emitter.emit("Equal", [predicted, emitter.emit("Greater", [target, half])]);
  return {
    loss: meanAll(emitter, loss),
    correct: sumAll(emitter, cast(emitter, right, DataType.float32)),
    count: sizeOf(emitter, output),
  };
}

function ofProbabilities({ emitter }: LossContext, output: string, target: string): string {
  const one = emitter.float(1);
  const p = emitter.emit("Clip", [output, emitter.float(MARGIN), emitter.float(1 - MARGIN)]);
  const log = (value: string): string => emitter.emit("Log", [value]);
  const not = (value: string): string => emitter.emit("Sub", [one, value]);
  const likelihood = emitter.emit("Add", [
    emitter.emit("Mul", [target, log(p)]),
    emitter.emit("Mul", [not(target), log(not(p))]),
  ]);
  return emitter.emit("Neg", [likelihood]);
}
