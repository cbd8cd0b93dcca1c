/** @file Residents over ONNX Runtime's JavaScript API: buffers of a WebGPU device, or arrays of the host. */
import type { Tensor } from "onnxruntime-common";
import { elementCount } from "../onnx/data-type.ts";
import type { Api } from "./api-runtime.ts";
import type { ResidentTensors } from "./resident.ts";

/** ONNX Runtime's shaders read in vectors of four. */
const GPU_ALIGNMENT = 16;

interface Resident {
  tensor: Tensor;
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  dispose(): void;
}

export class ApiResidents implements ResidentTensors {
  readonly #residents = new Map<string, Resident>();

  /** @param device where they lie; absent: in host memory */
  constructor(
    api: Api,
    device: GPUDevice | undefined,
    tensors: readonly { name: string; dims: readonly number[] }[],
  ) {
    for (const { name, dims } of tensors) {
      this.#residents.set(name, device ? onDevice(api, device, dims) : onHost(api, dims));
    }
  }

  /** Those that an input wants. */
  feeds(inputs: readonly string[]): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    for (const name of inputs) {
      const resident = this.#residents.get(name);
      if (resident) feeds[name] = resident.tensor;
    }
    return feeds;
  }

  write(name: string, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    const resident = this.#residents.get(name);
    if (!resident) throw new RangeError(`runtime: there is no resident "${name}"`);
    resident.write(offset, bytes);
  }

  dispose(): void {
    for (const resident of this.#residents.values()) resident.dispose();
    this.#residents.clear();
  }
}

function onHost({ Tensor }: Api, dims: readonly number[]): Resident {
  const values = new Float32Array(elementCount(dims));
  const bytes = new Uint8Array(values.buffer);
  return {
    tensor: new Tensor("float32", values, dims),
    write: (offset, part) => bytes.set(part, offset),
    dispose: () => undefined,
  };
}

function onDevice({ Tensor }: Api, device: GPUDevice, dims: readonly number[]): Resident {
  const size = Math.max(1, Math.ceil((4 * elementCount(dims)) / GPU_ALIGNMENT)) * GPU_ALIGNMENT;
  const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffer = device.createBuffer({ size, usage: STORAGE | COPY_DST | COPY_SRC });
  return {
    tensor: Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [...dims] }),
    // In the queue before the next run, so that it sees it.
    write: (offset, part) => device.queue.writeBuffer(buffer, offset, part),
    dispose: () => buffer.destroy(),
  };
}
