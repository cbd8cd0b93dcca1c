/** @file ONNX Runtime's native CPU back end as a `Runtime`: a second opinion for tests. */
import { InferenceSession, Tensor } from "onnxruntime-node";

import { DataType } from "../../../src/onnx/data-type.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";

const TYPES = {
  float32: [DataType.float32, Float32Array],
  float64: [DataType.float64, Float64Array],
  float16: [DataType.float16, Uint16Array],
  int64: [DataType.int64, BigInt64Array],
  int32: [DataType.int32, Int32Array],
  int8: [DataType.int8, Int8Array],
  uint8: [DataType.uint8, Uint8Array],
  bool: [DataType.bool, Uint8Array],
} as const;
type TypeName = keyof typeof TYPES;

function toNative({ dataType, dims, bytes }: HostTensor): Tensor {
  const name = (Object.keys(TYPES) as TypeName[]).find((key) => TYPES[key][0] === dataType);
  if (!name) throw new Error(`native: no tensors of type ${dataType}`);
  const data = new TYPES[name][1](bytes.slice().buffer);
  // The binding reads float16 from a Uint16Array, which the constructor would turn into a Float16Array.
  if (name === "float16")
    return Object.assign(new Tensor("uint16", data as never, dims), { type: name });
  return new Tensor(name, data as never, dims);
}

function toHost(tensor: Tensor): HostTensor {
  const [dataType] = TYPES[tensor.type as TypeName];
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return {
    dataType,
    dims: [...tensor.dims],
    bytes: new Uint8Array(buffer, byteOffset, byteLength).slice(),
  };
}

/** `disabled`: each node by itself, nothing fused. */
export function nativeRuntime(
  threads = 1,
  graphOptimizationLevel: "all" | "disabled" = "all",
): Runtime {
  return {
    name: "onnxruntime-node cpu",
    maxModelBytes: 2 ** 31,
    async load(model) {
      const options = {
        logSeverityLevel: 4,
        intraOpNumThreads: threads,
        graphOptimizationLevel,
      } as const;
      const session = await InferenceSession.create(model, options);
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        async run(feeds) {
          const native = Object.entries(feeds).map(([name, tensor]) => [name, toNative(tensor)]);
          const outputs = await session.run(Object.fromEntries(native));
          return Object.fromEntries(
            Object.entries(outputs).map(([name, tensor]) => [name, toHost(tensor)]),
          );
        },
        release: async () => await session.release(),
      };
    },
  };
}
