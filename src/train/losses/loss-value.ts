/** @file What a loss is in a graph: a few scalars, emitted after the model's output. */
import { makeInt } from "../../graph/attributes.ts";
import { DataType, dataTypeName, elementCount } from "../../onnx/data-type.ts";
import type { Dimension, Node } from "../../onnx/model.ts";
import type { Emitter } from "../../autodiff/rule.ts";

/** Names of float32 scalars. */
export interface LossValue {
  /** Mean over what counts. */
  loss: string;
  /** How many were classified rightly, among `count`. */
  correct?: string;
  /** What `loss` is the mean over: rows, positions or elements. */
  count: string;
  /** Labels are indices of so many classes; absent where they are something else. */
  classes?: number;
}

/** What a loss sees of the model that it is added to. */
export interface LossContext {
  emitter: Emitter;
  /** The node that makes a value; `undefined` for inputs and initializers. */
  producer(name: string): Node | undefined;
}

export const refusal = (reason: string): RangeError => new RangeError(`train: ${reason}`);

export const isFloat = (type: number | undefined): boolean =>
  type === DataType.float32 || type === DataType.float64;

export function cast(emitter: Emitter, value: string, to: DataType): string {
  if (emitter.elementType(value) === to) return value;
  return emitter.emit("Cast", [value], [makeInt("to", to)]);
}

/** A scalar: the sum over all elements. */
export function sumAll(emitter: Emitter, value: string): string {
  return emitter.reduce("ReduceSum", value, [...emitter.dims(value).keys()], false);
}

/** A scalar: the mean over all elements. */
export function meanAll(emitter: Emitter, value: string): string {
  return emitter.reduce("ReduceMean", value, [...emitter.dims(value).keys()], false);
}

/** A float32 scalar: how many elements the value has. */
export function sizeOf(emitter: Emitter, value: string): string {
  return cast(emitter, emitter.emit("Size", [value]), DataType.float32);
}

/** The sizes of one row; all known, since the data's are. */
export function rowSizes(emitter: Emitter, value: string): number[] {
  return emitter.sizes(value, 1).slice(1);
}

/**
 * The label as floats of the prediction's shape.
 * @throws RangeError when a row of the one has other than as many elements as a row of the other
 */
export function labelLike(emitter: Emitter, prediction: string, label: string): string {
  const [batch, ...sizes] = emitter.dims(prediction);
  const row = rowSizes(emitter, label);
  if (elementCount(rowSizes(emitter, prediction)) !== elementCount(row)) {
    throw refusal(
      `a row of the output is [${sizes.map(String).join(", ")}], a row of the label [${row.join(", ")}]`,
    );
  }
  const shape: Dimension[] = [batch, ...sizes];
  return emitter.reshape(cast(emitter, label, DataType.float32), shape);
}

/** The value that a final node of one of these op types is applied to, looking through Identity. */
export function beforeFinal(
  context: LossContext,
  value: string,
  opTypes: readonly string[],
): Node | undefined {
  for (let node = context.producer(value); node; node = context.producer(node.inputs[0] ?? "")) {
    if (node.domain !== "") return undefined;
    if (opTypes.includes(node.opType)) return node;
    if (node.opType !== "Identity") return undefined;
  }
  return undefined;
}

export function checkFloat(emitter: Emitter, output: string): void {
  const type = emitter.elementType(output);
  if (isFloat(type)) return;
  throw refusal(
    `the output "${output}" is ${type === undefined ? "of unknown type" : dataTypeName(type)}, a loss needs floats`,
  );
}
