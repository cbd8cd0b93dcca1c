/** @file A stored float32 tensor as numbers. */
import { DataType } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { readAll } from "../onnx/tensor-data.ts";

/** A copy. @throws TypeError when the tensor is not float32 */
export async function readFloats(tensor: Tensor): Promise<Float32Array> {
  if (tensor.dataType !== DataType.float32) {
    throw new TypeError(`train: "${tensor.name}" is not float32`);
  }
  const values = new Float32Array(tensor.data.byteLength / 4);
  await readInto(tensor, values);
  return values;
}

/** Fills `values`, which has as many elements as the tensor. */
export async function readInto(tensor: Tensor, values: Float32Array): Promise<void> {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  bytes.set(await readAll(tensor.data));
}
