/** @file Types of onnxruntime-web's emscripten glue and of its compiled module, as far as Hone calls them. */

declare module "onnxruntime-web/ort-wasm-simd-threaded.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "onnxruntime-web/ort-wasm-simd-threaded.mjs" {
  /**
   * The C functions of onnxruntime/wasm/api.cc: pointers are byte offsets into the memory, a status is 0 when
   * all went well, a handle is 0 when it did not.
   */
  export interface OrtFunctions {
    _malloc(byteLength: number): number;
    _free(pointer: number): void;
    stackSave(): number;
    stackRestore(stack: number): void;
    stackAlloc(byteLength: number): number;
    mountExternalData(path: string, data: Uint8Array): void;
    unmountExternalData(): void;
    _OrtInit(threads: number, logLevel: number): number;
    _OrtGetLastError(code: number, message: number): number;
    _OrtCreateSessionOptions(
      graphOptimizationLevel: number,
      enableCpuMemArena: boolean,
      enableMemPattern: boolean,
      executionMode: number,
      enableProfiling: boolean,
      profileFilePrefix: number,
      logId: number,
      logSeverityLevel: number,
      logVerbosityLevel: number,
      optimizedModelFilePath: number,
    ): number;
    _OrtAddSessionConfigEntry(options: number, key: number, value: number): number;
    _OrtReleaseSessionOptions(options: number): number;
    _OrtCreateSession(model: number, byteLength: number, options: number): number;
    _OrtReleaseSession(session: number): number;
    _OrtGetInputOutputCount(session: number, inputs: number, outputs: number): number;
    _OrtGetInputOutputMetadata(
      session: number,
      index: number,
      name: number,
      metadata: number,
    ): number;
    _OrtFree(pointer: number): number;
    _OrtCreateTensor(
      dataType: number,
      data: number,
      byteLength: number,
      dims: number,
      rank: number,
      location: number,
    ): number;
    _OrtGetTensorData(
      tensor: number,
      dataType: number,
      data: number,
      dims: number,
      rank: number,
    ): number;
    _OrtReleaseTensor(tensor: number): number;
    _OrtCreateRunOptions(
      logSeverityLevel: number,
      logVerbosityLevel: number,
      terminate: boolean,
      tag: number,
    ): number;
    _OrtReleaseRunOptions(options: number): number;
    _OrtRun(
      session: number,
      inputNames: number,
      inputs: number,
      inputCount: number,
      outputNames: number,
      outputCount: number,
      outputs: number,
      options: number,
    ): number;
  }

  export interface OrtConfiguration {
    numThreads: number;
    instantiateWasm(
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ): void;
    print?(text: string): void;
    printErr?(text: string): void;
  }

  export default function ortWasmThreaded(configuration: OrtConfiguration): Promise<OrtFunctions>;
}
