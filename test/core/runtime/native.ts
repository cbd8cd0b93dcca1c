/** @file ONNX Runtime's native CPU back end: a second opinion for tests. */
export { nativeRuntime } from "../../../src/runtime/native.ts";
