/**
 * @file Writing a model: a plan in which all lengths are known, then one pass over the data.
 */
import { Encoder, streamExactly } from "./encoder.ts";
import {
  encodeEntries,
  encodeFunction,
  encodeGraph,
  encodeOpsetImport,
  type PlaceData,
} from "./encode-graph.ts";
import { checkLocation } from "./external-data.ts";
import type { Model } from "./model.ts";
import { type ByteSink, MemorySink } from "./source.ts";
import type { TensorData } from "./tensor-data.ts";

/** Protobuf parsers take a signed 32-bit size. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/** External data starts on pages, so that it can be mapped. */
const PAGE_BYTES = 4096;
const DEFAULT_MIN_EXTERNAL_BYTES = 1024;

export interface WriteOptions {
  /** Puts the data of larger tensors into a file beside the model. */
  external?: {
    /** The file's path relative to the model. */
    location: string;
    /** Tensors from this size on are external (default 1024). */
    minBytes?: number;
    /** Only where one file would pass 2 GiB. */
    onlyIfNeeded?: boolean;
  };
}

export interface PlannedFile {
  byteLength: number;
  write(sink: ByteSink): Promise<void>;
}

export interface ModelPlan extends PlannedFile {
  external?: PlannedFile & { location: string };
}

/**
 * Plans a model's file: its exact length is known at once, weights are read when it is written.
 * @throws RangeError when the file would be 2 GiB or more, which needs `external`
 */
export function planModel(model: Model, options: WriteOptions = {}): ModelPlan {
  const { external } = options;
  if (!external) return planOne(encodeModel(model, nowhere));
  if (external.onlyIfNeeded) {
    const whole = encodeModel(model, nowhere);
    if (whole.byteLength <= MAX_FILE_BYTES) return planOne(whole);
  }
  const beside = new ExternalFile(external);
  const plan: ModelPlan = planOne(encodeModel(model, (data) => beside.place(data)));
  if (beside.byteLength > 0) plan.external = beside;
  return plan;
}

const nowhere: PlaceData = () => undefined;

function planOne(message: Encoder): PlannedFile {
  const { byteLength } = message;
  if (byteLength > MAX_FILE_BYTES) {
    throw new RangeError(
      `onnx: the model's file would be ${byteLength} bytes, protobuf allows ${MAX_FILE_BYTES}: write the weights as external data`,
    );
  }
  return { byteLength, write: (sink) => message.write(sink) };
}

function encodeModel(model: Model, place: PlaceData): Encoder {
  const out = new Encoder();
  out.int(1, model.irVersion);
  out.optionalText(2, model.producerName);
  out.optionalText(3, model.producerVersion);
  out.optionalText(4, model.domain);
  if (model.modelVersion !== 0n) out.int(5, model.modelVersion);
  out.optionalText(6, model.docString);
  out.message(7, encodeGraph(model.graph, place));
  for (const entry of model.opsetImports) out.message(8, encodeOpsetImport(entry));
  encodeEntries(out, 14, model.metadata);
  for (const definition of model.functions) out.message(25, encodeFunction(definition, place));
  out.raw(model.unknown);
  return out;
}

/** The model's file in memory; for models that are known to be small. */
export async function modelBytes(model: Model): Promise<Uint8Array> {
  const plan = planModel(model);
  const sink = new MemorySink(plan.byteLength);
  await plan.write(sink);
  return sink.bytes;
}

class ExternalFile implements PlannedFile {
  readonly location: string;
  readonly #minBytes: number;
  readonly #parts: { offset: number; data: TensorData }[] = [];
  byteLength = 0;

  constructor(options: NonNullable<WriteOptions["external"]>) {
    this.location = checkLocation(options.location, "the result");
    this.#minBytes = options.minBytes ?? DEFAULT_MIN_EXTERNAL_BYTES;
  }

  place(data: TensorData): { location: string; offset: number } | undefined {
    if (data.byteLength < this.#minBytes) return undefined;
    const offset = Math.ceil(this.byteLength / PAGE_BYTES) * PAGE_BYTES;
    this.#parts.push({ offset, data });
    this.byteLength = offset + data.byteLength;
    return { location: this.location, offset };
  }

  async write(sink: ByteSink): Promise<void> {
    const zeros = new Uint8Array(PAGE_BYTES);
    let position = 0;
    for (const { offset, data } of this.#parts) {
      if (offset > position) await sink.write(zeros.subarray(0, offset - position));
      await streamExactly(data, sink);
      position = offset + data.byteLength;
    }
  }
}
