/**
 * @file The first walk over a file: reads all of it but the large weights.
 *
 * It follows only the messages that can contain tensors, and of a tensor's message leaves out its data
 * when that is long. What it leaves behind (`SparseBytes`) the parser reads without waiting.
 * A memory source needs no scan.
 */
import { OnnxError } from "./errors.ts";
import type { ReadLimits } from "./limits.ts";
import { type Extent, SparseBytes } from "./sparse-bytes.ts";
import type { ByteSource } from "./source.ts";

/** Shorter messages are read whole without a look inside; shorter tensor data stays in memory. */
const SMALL_BYTES = 1024;

type MessageKind = "model" | "graph" | "node" | "attribute" | "tensor" | "sparse" | "function";

/** A tag takes at most 5 bytes, a varint 10. */
const HEADER_BYTES = 15;

/** For each kind of message, the fields that hold messages in which tensors can be. */
const CHILDREN: Record<MessageKind, Readonly<Record<number, MessageKind>>> = {
  model: { 7: "graph", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: {},
};

/** TensorProto's packed data: float_data, int32_data, int64_data, raw_data, double_data, uint64_data. */
const TENSOR_DATA_FIELDS = new Set([4, 5, 7, 9, 10, 11]);

/**
 * Reads the skeleton of a model file.
 * @throws OnnxError when lengths or tags cannot be, or a limit is passed
 */
export async function scanModel(source: ByteSource, limits: ReadLimits): Promise<SparseBytes> {
  const bytes = new SparseBytes(source, limits.maxSkeletonBytes);
  if (!bytes.complete) {
    await new Scanner(bytes, limits).message("model", 0, source.size, 0);
  }
  return bytes;
}

class Scanner {
  readonly #bytes: SparseBytes;
  readonly #limits: ReadLimits;

  constructor(bytes: SparseBytes, limits: ReadLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  async message(kind: MessageKind, start: number, end: number, depth: number): Promise<void> {
    // A graph within a graph is three messages deeper: node, attribute, graph.
    if (depth > 4 * this.#limits.maxDepth) {
      throw new OnnxError(
        "limit_exceeded",
        `graphs are nested deeper than ${this.#limits.maxDepth}`,
        start,
      );
    }
    const children = CHILDREN[kind];
    for (let position = start; position < end;) {
      // Millions of short fields take seconds where each is waited for.
      const header = Math.min(HEADER_BYTES, end - position);
      const extent =
        this.#bytes.filled(position, header) ?? (await this.#bytes.fill(position, header));
      const { field, wireType, valueStart, valueEnd } = fieldAt(extent, position, end);
      const child = children[field];
      if (wireType === 2 && valueEnd - valueStart > SMALL_BYTES && child) {
        await this.message(child, valueStart, valueEnd, depth + 1);
      } else if (wireType === 2 && kind === "tensor" && TENSOR_DATA_FIELDS.has(field)) {
        if (valueEnd - valueStart > SMALL_BYTES) this.#bytes.cut(valueStart, valueEnd);
        else await this.#bytes.fill(valueStart, valueEnd - valueStart);
      } else if (!this.#bytes.filled(valueStart, valueEnd - valueStart)) {
        await this.#bytes.fill(valueStart, valueEnd - valueStart);
      }
      position = valueEnd;
    }
  }
}

/** A tag, and where its value lies. */
function fieldAt(extent: Extent, position: number, end: number) {
  const at = position - extent.offset;
  const tag = varint(extent.bytes, at, position);
  const field = Math.floor(tag.value / 8);
  const wireType = tag.value % 8;
  const valueStart = position + tag.length;
  let valueEnd: number;
  switch (wireType) {
    case 0:
      return {
        field,
        wireType,
        valueStart,
        valueEnd: valueStart + varint(extent.bytes, at + tag.length, valueStart).length,
      };
    case 1:
      valueEnd = valueStart + 8;
      break;
    case 5:
      valueEnd = valueStart + 4;
      break;
    case 2: {
      const length = varint(extent.bytes, at + tag.length, valueStart);
      const dataStart = valueStart + length.length;
      checkInside(dataStart, length.value, end);
      return { field, wireType, valueStart: dataStart, valueEnd: dataStart + length.value };
    }
    default:
      throw new OnnxError(
        "malformed",
        `wire type ${wireType} does not exist in ONNX files`,
        position,
      );
  }
  checkInside(valueStart, valueEnd - valueStart, end);
  return { field, wireType, valueStart, valueEnd };
}
function checkInside(start: number, length: number, end: number): void {
  if (start + length > end) {
    throw new OnnxError(
      "truncated",
      `a length of ${length} passes the end of its message, ${Math.max(0, end - start)} bytes on`,
      start,
    );
  }
}

function varint(bytes: Uint8Array, at: number, offset: number): { value: number; length: number } {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined)
      throw new OnnxError("truncated", "the file ends within a number", offset);
    value += (byte & 127) * scale;
    if (byte < 128) return { value, length: i + 1 };
    scale *= 128;
  }
  throw new OnnxError("malformed", "a number is longer than 10 bytes", offset);
}
