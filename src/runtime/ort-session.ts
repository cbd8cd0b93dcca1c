/** @file A model loaded in an `OrtInstance`: made, run and released without an await in between. */
import type { DataType } from "../onnx/data-type.ts";
import {
  DataType as Types,
  dataTypeName,
  elementCount,
  isDataType,
  rawByteLength,
} from "../onnx/data-type.ts";
import type { ExternalizedModel } from "./externalize.ts";
import { type OrtInstance, LOG_FATAL, cString } from "./ort-instance.ts";
import type { HostTensor } from "./runtime.ts";

export interface SessionOptions {
  /** Half the memory for some of the speed: no arena, no packed copies of weights. */
  lean: boolean;
}

/** An input or output; one that is no tensor (a sequence, a map) has data type 0. */
interface Slot {
  name: string;
  /** The zero-terminated name in the heap. */
  pointer: number;
  dataType: number;
}

const LEAN_ENTRIES = {
  "session.disable_prepacking": "1",
  "session.use_device_allocator_for_initializers": "1",
};

const ALL_OPTIMIZATIONS = 99;
const SEQUENTIAL = 0;
const LOCATION_CPU = 1;
/** Name under which ONNX Runtime finds the weights that were left in the caller's bytes. */
export const WEIGHTS_FILE = "weights";

export class OrtSession {
  readonly #instance: OrtInstance;
  readonly #handle: number;
  readonly #inputs: Slot[] = [];
  readonly #outputs: Slot[] = [];
  #released = false;

  /** @throws Error with ONNX Runtime's message when the model does not load */
  constructor(instance: OrtInstance, model: ExternalizedModel, options: SessionOptions) {
    this.#instance = instance;
    this.#handle = createSession(instance, model, options);
    try {
      this.#readSlots();
    } catch (error) {
      this.release();
      throw error;
    }
  }

  get inputNames(): string[] {
    return this.#inputs.map(({ name }) => name);
  }

  get outputNames(): string[] {
    return this.#outputs.map(({ name }) => name);
  }

  #readSlots(): void {
    const { ort } = this.#instance;
    const stack = ort.stackSave();
    const pair = ort.stackAlloc(8);
    this.#instance.call("inspect", () => ort._OrtGetInputOutputCount(this.#handle, pair, pair + 4));
    const inputs = this.#instance.readUint32(pair);
    const count = inputs + this.#instance.readUint32(pair + 4);
    for (let index = 0; index < count; index++) {
      this.#instance.call("inspect", () =>
        ort._OrtGetInputOutputMetadata(this.#handle, index, pair, pair + 4),
      );
      const pointer = this.#instance.readUint32(pair);
      const metadata = this.#instance.readUint32(pair + 4);
      const dataType = this.#instance.readUint32(metadata);
      ort._OrtFree(metadata);
      const slot = { name: this.#instance.readText(pointer), pointer, dataType };
      (index < inputs ? this.#inputs : this.#outputs).push(slot);
    }
    ort.stackRestore(stack);
  }

  /**
   * Runs once. Only the outputs that are tensors of numbers are in the result.
   * @throws Error for a feed that is no input, an input that is not fed, and with ONNX Runtime's message when the run fails
   */
  run(feeds: Readonly<Record<string, HostTensor>>): Record<string, HostTensor> {
    if (this.#released) throw new Error("runtime: the session is released");
    const instance = this.#instance;
    const { ort } = instance;
    const missing = this.inputNames.find((name) => !(name in feeds));
    if (missing !== undefined)
      throw new Error(`runtime: the model's input "${missing}" is not fed`);
    const inputs = Object.entries(feeds).map(([name, tensor]) => ({
      slot: this.#inputNamed(name),
      tensor,
    }));
    const outputs = this.#outputs.filter(
      ({ dataType }) => dataType !== 0 && dataType !== Types.string,
    );
    const handles: number[] = [];
    return instance.scratch((allocate) => {
      const options = instance.handle("run", () =>
        ort._OrtCreateRunOptions(LOG_FATAL, 0, false, 0),
      );
      try {
        for (const { tensor } of inputs) handles.push(createTensor(instance, tensor, allocate));
        const vector = (values: number[]): number => {
          const pointer = allocate(values.length * 4);
          instance.writeUint32s(pointer, values);
          return pointer;
        };
        const inputNames = vector(inputs.map(({ slot }) => slot.pointer));
        const inputValues = vector(handles);
        const outputNames = vector(outputs.map(({ pointer }) => pointer));
        const results = vector(outputs.map(() => 0));
        instance.call("run", () =>
          ort._OrtRun(
            this.#handle,
            inputNames,
            inputValues,
            inputs.length,
            outputNames,
            outputs.length,
            results,
            options,
          ),
        );
        outputs.forEach((_, i) => handles.push(instance.readUint32(results + 4 * i)));
        const made = handles.slice(inputs.length);
        return Object.fromEntries(
          outputs.map(({ name }, i) => [name, readTensor(instance, name, made[i] ?? 0)]),
        );
      } finally {
        if (!instance.broken) {
          for (const handle of handles) if (handle !== 0) ort._OrtReleaseTensor(handle);
          ort._OrtReleaseRunOptions(options);
        }
      }
    });
  }

  #inputNamed(name: string): Slot {
    const slot = this.#inputs.find((input) => input.name === name);
    if (slot) return slot;
    throw new Error(
      `runtime: the model has no input "${name}", but ${this.inputNames.join(", ") || "none"}`,
    );
  }

  release(): void {
    if (this.#released || this.#instance.broken) return;
    this.#released = true;
    const { ort } = this.#instance;
    for (const { pointer } of [...this.#inputs, ...this.#outputs]) ort._OrtFree(pointer);
    this.#instance.call("release", () => ort._OrtReleaseSession(this.#handle));
  }
}

function createSession(
  instance: OrtInstance,
  model: ExternalizedModel,
  options: SessionOptions,
): number {
  const { ort } = instance;
  return instance.scratch((allocate) => {
    const text = (value: string): number => {
      const bytes = cString(value);
      const pointer = allocate(bytes.length);
      instance.writeBytes(pointer, bytes);
      return pointer;
    };
    const sessionOptions = instance.handle("load", () =>
      ort._OrtCreateSessionOptions(
        ALL_OPTIMIZATIONS,
        !options.lean,
        !options.lean,
        SEQUENTIAL,
        false,
        0,
        0,
        LOG_FATAL,
        0,
        0,
      ),
    );
    try {
      for (const [key, value] of Object.entries(options.lean ? LEAN_ENTRIES : {})) {
        const [keyText, valueText] = [text(key), text(value)];
        instance.call("load", () =>
          ort._OrtAddSessionConfigEntry(sessionOptions, keyText, valueText),
        );
      }
      const bytes = allocate(model.graph.length);
      instance.writeBytes(bytes, model.graph);
      if (model.weights) ort.mountExternalData(WEIGHTS_FILE, model.weights);
      return instance.handle("load", () =>
        ort._OrtCreateSession(bytes, model.graph.length, sessionOptions),
      );
    } finally {
      ort.unmountExternalData();
      if (!instance.broken) ort._OrtReleaseSessionOptions(sessionOptions);
    }
  });
}

/** The tensor lives in `allocate`d memory, so it must be released before that is freed. */
function createTensor(
  instance: OrtInstance,
  tensor: HostTensor,
  allocate: (byteLength: number) => number,
): number {
  const { dataType, dims, bytes } = tensor;
  const need = rawByteLength(dataType, elementCount(dims));
  if (bytes.length !== need || dataType === Types.string) {
    throw new RangeError(
      `runtime: an input has ${bytes.length} bytes, dims [${dims.join(", ")}] of ${dataTypeName(dataType)} need ${need}`,
    );
  }
  const data = allocate(bytes.length);
  instance.writeBytes(data, bytes);
  const shape = allocate(dims.length * 4);
  instance.writeUint32s(shape, dims);
  return instance.handle("feed", () =>
    instance.ort._OrtCreateTensor(dataType, data, bytes.length, shape, dims.length, LOCATION_CPU),
  );
}

function readTensor(instance: OrtInstance, name: string, tensor: number): HostTensor {
  const { ort } = instance;
  if (tensor === 0) throw new Error(`runtime: output "${name}" has no value`);
  const stack = ort.stackSave();
  const fields = ort.stackAlloc(16);
  instance.call("read", () =>
    ort._OrtGetTensorData(tensor, fields, fields + 4, fields + 8, fields + 12),
  );
  const [code = 0, data = 0, shape = 0, rank = 0] = [0, 4, 8, 12].map((at) =>
    instance.readUint32(fields + at),
  );
  const dims = Array.from({ length: rank }, (_, i) => instance.readUint32(shape + 4 * i));
  ort._OrtFree(shape);
  ort.stackRestore(stack);
  if (!isDataType(code)) throw new Error(`runtime: output "${name}" has data type ${code}`);
  const dataType: DataType = code;
  return {
    dataType,
    dims,
    bytes: instance.readBytes(data, rawByteLength(dataType, elementCount(dims))),
  };
}
