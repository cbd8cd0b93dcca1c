/**
 * @file One instance of onnxruntime-web's WebAssembly build: its memory with a cap, its errors, bytes in and out.
 *
 * It talks to the C functions through the emscripten glue, not through onnxruntime-web's own JavaScript: that
 * fetches and compiles bytes (workerd does neither), has one instance for good, and cannot cap the memory.
 * An instance that failed inside is dropped, not mended; one that only ran out of memory, or grew, is used on: V8 does
 * not count shared memory, so what is dropped is collected late.
 */
import type { OrtFunctions } from "onnxruntime-web/ort-wasm-simd-threaded.mjs";
import { countNodes, RunSteps } from "./run-steps.ts";
import { DoesNotFitError } from "./runtime.ts";

/** ONNX Runtime's log goes nowhere below "fatal": each error is in the message of what is thrown as well. */
export const LOG_FATAL = 4;

const PAGE_BYTES = 65536;

export class OrtInstance {
  readonly ort: OrtFunctions;
  readonly memory: WebAssembly.Memory;
  /** Cap of the memory; lowering it below what is there only forbids growth. */
  maxHeapBytes: number;
  readonly #steps: RunSteps;
  /** A growth was refused since the last `refusal`. */
  #refused = false;
  /** The C++ side was left in an unknown state. */
  broken = false;

  private constructor(
    ort: OrtFunctions,
    memory: WebAssembly.Memory,
    maxHeapBytes: number,
    steps: RunSteps,
  ) {
    this.ort = ort;
    this.#steps = steps;
    this.memory = memory;
    this.maxHeapBytes = maxHeapBytes;
    this.#capMemory();
  }

  /** @throws Error when ONNX Runtime does not start */
  static async create(wasm: WebAssembly.Module, maxHeapBytes: number): Promise<OrtInstance> {
    const glue = await loadGlue();
    let memory: WebAssembly.Memory | undefined;
    const steps = new RunSteps();
    const ort = await new Promise<OrtFunctions>((resolve, reject) => {
      glue({
        numThreads: 1,
        instantiateWasm(imports, done) {
          countNodes(imports, () => steps.add());
          memory = Object.values(imports["a"] ?? {}).find(
            (value) => value instanceof WebAssembly.Memory,
          );
          WebAssembly.instantiate(wasm, imports).then((instance) => done(instance, wasm), reject);
        },
      }).then(resolve, reject);
    });
    if (!memory) throw new Error("runtime: ONNX Runtime's module imports no memory");
    const instance = new OrtInstance(ort, memory, maxHeapBytes, steps);
    instance.call("start", () => ort._OrtInit(1, LOG_FATAL));
    return instance;
  }

  /** The heap's size; it never shrinks. */
  get heapBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** The glue asks the memory object to grow and takes an exception for "no": malloc then returns null. */
  #capMemory(): void {
    const memory = this.memory;
    const grow = memory.grow.bind(memory);
    memory.grow = (pages: number) => {
      if (memory.buffer.byteLength + pages * PAGE_BYTES > this.maxHeapBytes) {
        this.#refused = true;
        throw new RangeError(
          `runtime: ${this.maxHeapBytes} bytes are all that ONNX Runtime has here`,
        );
      }
      this.#refused = false;
      return grow(pages);
    };
  }

  /**
   * Calls into C and turns what goes wrong into an Error: a status that is not 0, an exception, a full memory.
   * @throws DoesNotFitError when the memory's cap was hit
   */
  call(doing: string, status: () => number): void {
    let code: number;
    this.#refused = false;
    this.#steps.begin(doing === "run");
    try {
      code = status();
    } catch (thrown) {
      this.broken = true;
      throw this.#failure(
        doing,
        thrown instanceof Error ? thrown.message : `C++ exception ${String(thrown)}`,
      );
    }
    if (code !== 0) throw this.#failure(doing, this.#lastError());
  }

  /** Like `call`, for functions that return a handle, which is 0 when they failed. */
  handle(doing: string, create: () => number): number {
    let handle = 0;
    this.call(doing, () => {
      handle = create();
      return handle === 0 ? 1 : 0;
    });
    return handle;
  }

  #failure(doing: string, message: string): Error {
    // Of a tensor beyond 4 GiB, already the size does not fit; "vector" is all that C++ says of a list's.
    if (this.#refused || /bad_alloc|SafeIntOnOverflow|^vector$/.test(message)) {
      const mebibytes = Math.round(this.maxHeapBytes / 1024 / 1024);
      return new DoesNotFitError(
        `the model does not fit the isolate: to ${doing} it, ONNX Runtime needs more than the ${mebibytes} MiB that it has here`,
      );
    }
    return new Error(`ONNX Runtime could not ${doing} the model: ${message}`);
  }

  #lastError(): string {
    const stack = this.ort.stackSave();
    const pointers = this.ort.stackAlloc(8);
    this.ort._OrtGetLastError(pointers, pointers + 4);
    const message = this.readText(this.readUint32(pointers + 4));
    this.ort.stackRestore(stack);
    return message;
  }

  /** Runs `use` with an allocator whose blocks are freed afterwards. */
  scratch<T>(use: (allocate: (byteLength: number) => number) => T): T {
    const blocks: number[] = [];
    try {
      return use((byteLength) => {
        const block = this.handle("hold", () => this.ort._malloc(Math.max(byteLength, 1)));
        blocks.push(block);
        return block;
      });
    } finally {
      if (!this.broken) for (const block of blocks) this.ort._free(block);
    }
  }

  writeBytes(pointer: number, bytes: Uint8Array): void {
    new Uint8Array(this.memory.buffer).set(bytes, pointer);
  }

  writeUint32s(pointer: number, values: readonly number[]): void {
    new Uint32Array(this.memory.buffer, pointer, values.length).set(values);
  }

  /** A copy. */
  readBytes(pointer: number, byteLength: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer, byteLength).slice();
  }

  readUint32(pointer: number): number {
    return new DataView(this.memory.buffer).getUint32(pointer, true);
  }

  /** The zero-terminated UTF-8 at `pointer`; empty for a null pointer. */
  readText(pointer: number): string {
    if (pointer === 0) return "";
    const heap = new Uint8Array(this.memory.buffer);
    return new TextDecoder().decode(heap.slice(pointer, heap.indexOf(0, pointer)));
  }
}

/** Zero-terminated UTF-8. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

type Glue = (typeof import("onnxruntime-web/ort-wasm-simd-threaded.mjs"))["default"];

/**
 * The glue looks at its host when it is evaluated and, at once, when it is called; two things are hidden from it then.
 *
 * A host with `process.versions.node` is Node to it, and it asks for createRequire, fs and threads, which workerd (it
 * has such a `process`) lacks and Node need not give: with a `process.type` of "renderer", Electron's sign of a page,
 * it does without. And with `Atomics.waitAsync` it waits for messages from other threads, of which there are none:
 * that wait never ends, and holds the instance's memory for good.
 */
async function loadGlue(): Promise<Glue> {
  const host = globalThis as { process?: { type?: string } };
  const atomics = Atomics as { waitAsync?: typeof Atomics.waitAsync };
  if (host.process) host.process.type = "renderer";
  try {
    const { default: glue } = await import("onnxruntime-web/ort-wasm-simd-threaded.mjs");
    return (configuration) => {
      const { waitAsync } = atomics;
      delete atomics.waitAsync;
      if (host.process) host.process.type = "renderer";
      try {
        return glue(configuration);
      } finally {
        delete host.process?.type;
        if (waitAsync) atomics.waitAsync = waitAsync;
      }
    };
  } finally {
    delete host.process?.type;
  }
}
