/** @file ONNX Runtime behind one interface: the edge (wasm in workerd), a browser, Node. */
import type { DataType } from "../onnx/data-type.ts";

/** A dense tensor in host memory: little-endian raw bytes. Strings are not supported. */
export interface HostTensor {
  dataType: DataType;
  dims: number[];
  bytes: Uint8Array;
}

/** The model, or what running it needs, passes the memory that ONNX Runtime has here. */
export class DoesNotFitError extends Error {
  override readonly name = "DoesNotFitError";
}

export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** @throws Error with ONNX Runtime's message when the run fails */
  run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
  release(): Promise<void>;
}

export interface Runtime {
  /** `onnxruntime-web 1.30.0 wasm (workerd)`, for reports. */
  readonly name: string;
  /** Largest model, in bytes, that this runtime takes on here. */
  readonly maxModelBytes: number;
  /** Most nodes, where there is a limit: the time that loading takes grows with their square. */
  readonly maxModelNodes?: number;
  /**
   * @throws DoesNotFitError when the model, or what loading it takes, passes the memory there is, Error with ONNX
   *   Runtime's message when it does not load
   */
  load(model: Uint8Array): Promise<Session>;
}
