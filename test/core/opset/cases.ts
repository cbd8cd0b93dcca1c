/** @file The golden cases of test/goldens/opset: old models, inputs, answers. */
import { readFileSync } from "node:fs";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";

interface Encoded {
  type: string;
  dims: number[];
  data: string;
}

export interface Case {
  name: string;
  opset: number;
  model: string;
  inputs: Record<string, Encoded>;
  outputs: Record<string, Encoded>;
}

export const CASES = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../goldens/opset/cases.json`, "utf8"),
) as readonly Case[];

export async function caseModel(entry: Case): Promise<Model> {
  return await readModel(new MemorySource(Uint8Array.from(Buffer.from(entry.model, "base64"))));
}

export function decoded({ type, dims, data }: Encoded): HostTensor {
  const dataType = DataType[type as keyof typeof DataType];
  return { dataType, dims, bytes: Uint8Array.from(Buffer.from(data, "base64")) };
}

/** The tensor's elements as numbers. */
export function numbersOf({ dataType, bytes }: HostTensor): number[] {
  const { buffer } = bytes.slice();
  switch (dataType) {
    case DataType.float32:
      return Array.from(new Float32Array(buffer));
    case DataType.float16:
      return Array.from(new Float16Array(buffer));
    case DataType.int64:
      return Array.from(new BigInt64Array(buffer), Number);
    case DataType.int32:
      return Array.from(new Int32Array(buffer));
    case DataType.int8:
      return Array.from(new Int8Array(buffer));
    case DataType.uint8:
    case DataType.bool:
      return Array.from(bytes);
    default:
      throw new Error(`no case has data type ${dataType}`);
  }
}
