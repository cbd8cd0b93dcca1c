/** @file Where a runner computes: a runtime, and what it is called. */
import type { Runtime } from "../runtime/runtime.ts";
import type { Backend } from "./protocol.ts";

export interface Device {
  backend: Backend;
  /** `NVIDIA ampere`, `SwiftShader`, `4 cores`. */
  name: string;
  runtime: Runtime;
}
