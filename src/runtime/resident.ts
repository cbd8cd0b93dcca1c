/** @file Sessions whose weights stay on the device between runs, and whose outputs are read from it one by one. */
import type { HostTensor, Runtime } from "./runtime.ts";

/** float32 inputs that stay. */
export interface ResidentTensors {
  /** Overwrites part of one. @param offset bytes before it, a multiple of 4 as the length is */
  write(name: string, offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  dispose(): void;
}

export interface ResidentOutputs {
  /** An output in host memory until `dispose`; to be asked for once. `undefined` where the model has none of this name. */
  read(name: string): Promise<HostTensor | undefined>;
  /** Frees all, also what was read. */
  dispose(): void;
}

export interface ResidentSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** @throws Error with ONNX Runtime's message when the run fails */
  run(
    feeds: Readonly<Record<string, HostTensor>>,
    residents: ResidentTensors,
  ): Promise<ResidentOutputs>;
  release(): Promise<void>;
}

export interface ResidentRuntime extends Runtime {
  /** Zeros, by name. */
  allocate(tensors: readonly { name: string; dims: readonly number[] }[]): ResidentTensors;
  /** @throws Error with ONNX Runtime's message when the model does not load */
  loadResident(model: Uint8Array): Promise<ResidentSession>;
}

export function isResident(runtime: Runtime): runtime is ResidentRuntime {
  return "loadResident" in runtime;
}
