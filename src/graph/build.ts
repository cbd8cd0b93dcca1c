/** @file Making nodes, tensors and imports. */
import { type DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { Attribute, Model, Node, Tensor } from "../onnx/model.ts";
import { BytesData, type TensorData } from "../onnx/tensor-data.ts";

export function makeNode(
  opType: string,
  inputs: string[],
  outputs: string[],
  options: { name?: string; domain?: string; attributes?: Attribute[] } = {},
): Node {
  return {
    opType,
    domain: options.domain ?? "",
    name: options.name ?? "",
    inputs,
    outputs,
    attributes: options.attributes ?? [],
    docString: "",
    overload: "",
    metadata: [],
  };
}

/** @throws RangeError when the data's length is not what type and dims need */
export function makeTensor(
  name: string,
  dataType: DataType,
  dims: number[],
  data: TensorData | Uint8Array,
): Tensor {
  const lazy = data instanceof Uint8Array ? new BytesData(data) : data;
  const need = rawByteLength(dataType, elementCount(dims));
  if (lazy.byteLength !== need) {
    throw new RangeError(
      `graph: "${name}" has ${lazy.byteLength} bytes, type ${dataType} with dims [${dims}] needs ${need}`,
    );
  }
  return { name, dataType, dims, data: lazy };
}

/** A one-dimensional int64 tensor, as the axes and shape inputs of many ops are. */
export function makeInt64(name: string, values: readonly number[], scalar = false): Tensor {
  const data = new BigInt64Array(values.map(BigInt));
  return makeTensor(name, 7, scalar ? [] : [values.length], new Uint8Array(data.buffer));
}

export function makeFloat32(
  name: string,
  values: readonly number[],
  dims = [values.length],
): Tensor {
  return makeTensor(name, 1, dims, new Uint8Array(new Float32Array(values).buffer));
}

/** The version of a domain's opset that the model imports, or `undefined`. */
export function opsetVersion(model: Model, domain = ""): number | undefined {
  return model.opsetImports.find((entry) => entry.domain === domain)?.version;
}

/** Imports a domain unless the model already does; an older import of it is raised to `version`. */
export function importOpset(model: Model, domain: string, version: number): void {
  const entry = model.opsetImports.find((candidate) => candidate.domain === domain);
  if (!entry) model.opsetImports.push({ domain, version });
  else entry.version = Math.max(entry.version, version);
}
