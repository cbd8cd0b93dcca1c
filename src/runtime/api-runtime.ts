/** @file A `Runtime` over ONNX Runtime's JavaScript API: the native build, and the WebGPU builds in a page and in Node. */
import type {
  InferenceSession,
  InferenceSessionFactory,
  Tensor,
  TensorConstructor,
} from "onnxruntime-common";
import { DataType } from "../onnx/data-type.ts";
import { ApiResidents } from "./api-residents.ts";
import type { ResidentOutputs, ResidentRuntime } from "./resident.ts";
import type { HostTensor } from "./runtime.ts";

export interface Api {
  InferenceSession: InferenceSessionFactory;
  Tensor: TensorConstructor;
}

export interface ApiRuntimeOptions {
  name: string;
  maxModelBytes: number;
  /** For every session. */
  session: InferenceSession.SessionOptions;
  /** Where residents lie; absent: in host memory. */
  device?: GPUDevice | undefined;
}

/** float16 is passed as the bits that it has. */
const TYPES = {
  float32: [DataType.float32, Float32Array],
  float64: [DataType.float64, Float64Array],
  float16: [DataType.float16, Uint16Array],
  int64: [DataType.int64, BigInt64Array],
  uint64: [DataType.uint64, BigUint64Array],
  int32: [DataType.int32, Int32Array],
  uint32: [DataType.uint32, Uint32Array],
  int16: [DataType.int16, Int16Array],
  uint16: [DataType.uint16, Uint16Array],
  int8: [DataType.int8, Int8Array],
  uint8: [DataType.uint8, Uint8Array],
  bool: [DataType.bool, Uint8Array],
} as const;
type TypeName = keyof typeof TYPES;

/** Sessions of one API; outputs are copied to host memory. */
export function apiRuntime(
  api: Api,
  { name, maxModelBytes, session, device }: ApiRuntimeOptions,
): ResidentRuntime {
  return {
    name,
    maxModelBytes,
    async load(model) {
      const opened = await api.InferenceSession.create(model, session);
      return {
        inputNames: opened.inputNames,
        outputNames: opened.outputNames,
        async run(feeds) {
          const outputs = await opened.run(tensorsOf(api, feeds));
          const host: Record<string, HostTensor> = {};
          for (const [output, tensor] of Object.entries(outputs))
            host[output] = await toHost(tensor);
          return host;
        },
        release: async () => await opened.release(),
      };
    },
    allocate: (tensors) => new ApiResidents(api, device, tensors),
    async loadResident(model) {
      const opened = await api.InferenceSession.create(model, {
        ...session,
        ...(device && { preferredOutputLocation: "gpu-buffer" }),
      });
      const { inputNames, outputNames } = opened;
      return {
        inputNames,
        outputNames,
        async run(feeds, residents) {
          if (!(residents instanceof ApiResidents)) {
            throw new TypeError("runtime: the residents are of another runtime");
          }
          const all = { ...residents.feeds(inputNames), ...tensorsOf(api, feeds) };
          return residentOutputs(await opened.run(all), device === undefined);
        },
        release: async () => await opened.release(),
      };
    },
  };
}

function tensorsOf(api: Api, feeds: Readonly<Record<string, HostTensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([input, tensor]) => [input, toApi(api, tensor)]),
  );
}

/** @param isHost the binding made arrays for the outputs: they are freed at once, since waiting for the collector costs it a tenth of a small step */
function residentOutputs(
  outputs: Readonly<Record<string, Tensor>>,
  isHost: boolean,
): ResidentOutputs {
  const left = new Map(Object.entries(outputs));
  const made: ArrayBuffer[] = [];
  const free = ({ buffer }: Uint8Array): void => {
    if (isHost && buffer instanceof ArrayBuffer) made.push(buffer);
  };
  return {
    async read(name) {
      const tensor = left.get(name);
      left.delete(name);
      // What is read is nobody else's: it need not be copied.
      const host = tensor && (await toHost(tensor, false));
      if (host) free(host.bytes);
      return host;
    },
    dispose() {
      for (const tensor of left.values()) {
        if (isHost && ArrayBuffer.isView(tensor.data)) free(tensor.data as Uint8Array);
        tensor.dispose();
      }
      left.clear();
      for (const buffer of made.splice(0)) buffer.transfer(0);
    },
  };
}

function toApi({ Tensor }: Api, { dataType, dims, bytes }: HostTensor): Tensor {
  const name = (Object.keys(TYPES) as TypeName[]).find((key) => TYPES[key][0] === dataType);
  if (!name) throw new TypeError(`runtime: no tensors of type ${dataType}`);
  const make = TYPES[name][1];
  const { buffer, byteOffset, byteLength } = bytes;
  // It is read until the run is over, and the caller waits for that: what is aligned need not be copied.
  const isAligned = byteOffset % make.BYTES_PER_ELEMENT === 0;
  const data = isAligned
    ? new make(buffer as ArrayBuffer, byteOffset, byteLength / make.BYTES_PER_ELEMENT)
    : new make(bytes.slice().buffer);
  // The bindings read float16 from a Uint16Array, which the constructor would turn into a Float16Array.
  if (name === "float16") {
    return Object.assign(new Tensor("uint16", data as never, dims), { type: name });
  }
  return new Tensor(name, data as never, dims);
}

async function toHost(tensor: Tensor, copy = true): Promise<HostTensor> {
  const type = TYPES[tensor.type as TypeName];
  if (!type) throw new TypeError(`runtime: no tensors of type ${tensor.type}`);
  const { buffer, byteOffset, byteLength } = (await tensor.getData()) as Uint8Array;
  const view = new Uint8Array(buffer, byteOffset, byteLength);
  const bytes = copy ? view.slice() : view;
  const host = { dataType: type[0], dims: [...tensor.dims], bytes };
  tensor.dispose();
  return host;
}
