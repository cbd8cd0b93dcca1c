/**
 * @file A model's bytes split for loading: the graph without its large weights, and the weights where they are.
 *
 * ONNX Runtime holds an inline model three times while it loads (bytes, parsed message, tensors). Weights that
 * are external data go straight from the caller's bytes to the tensors. So each large `raw_data` of the main graph's
 * initializers and Constant nodes becomes a reference into the very bytes of the model: nothing is copied but the
 * graph. (Those of subgraphs stay: they are small where real models have them.)
 */

export interface ExternalizedModel {
  /** A serialized ModelProto. */
  graph: Uint8Array;
  /** The file that its external data is in; `undefined` when it is complete by itself. */
  weights?: Uint8Array;
}

/** Smaller tensors stay: shapes and axes are read while the graph is built, before external data is. */
const MIN_EXTERNAL_BYTES = 16 * 1024;

// Field numbers of onnx.proto.
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_INITIALIZER = 5;
const NODE_OP_TYPE = 4;
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_TENSOR = 5;
const TENSOR_RAW_DATA = 9;
const TENSOR_EXTERNAL_DATA = 13;
const TENSOR_DATA_LOCATION = 14;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const LOCATION_EXTERNAL = 1;

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** A field: its tag and its payload (of a delimited one, without the length). */
interface Field {
  number: number;
  wireType: number;
  start: number;
  payload: number;
  end: number;
}

/** `model` as it is when it has no large initializers, or is not the protobuf it should be (ONNX Runtime says why). */
export function externalize(model: Uint8Array, location: string): ExternalizedModel {
  try {
    const graph = join(rewriteModel(model, location));
    return graph.length < model.length ? { graph, weights: model } : { graph: model };
  } catch (error) {
    if (error instanceof RangeError) return { graph: model };
    throw error;
  }
}

function* rewriteModel(bytes: Uint8Array, location: string): Generator<Uint8Array> {
  for (const field of fields(bytes, 0, bytes.length)) {
    if (field.number === MODEL_GRAPH && field.wireType === DELIMITED) {
      yield delimited(MODEL_GRAPH, join(rewriteGraph(bytes, field, location)));
    } else yield bytes.subarray(field.start, field.end);
  }
}

function* rewriteGraph(bytes: Uint8Array, graph: Field, location: string): Generator<Uint8Array> {
  for (const field of fields(bytes, graph.payload, graph.end)) {
    if (field.end - field.start < MIN_EXTERNAL_BYTES || field.wireType !== DELIMITED) {
      yield bytes.subarray(field.start, field.end);
    } else if (field.number === GRAPH_INITIALIZER) {
      yield delimited(GRAPH_INITIALIZER, join(rewriteTensor(bytes, field, location)));
    } else if (field.number === GRAPH_NODE && isConstant(bytes, field)) {
      yield delimited(GRAPH_NODE, join(rewriteConstant(bytes, field, location)));
    } else yield bytes.subarray(field.start, field.end);
  }
}

function isConstant(bytes: Uint8Array, node: Field): boolean {
  for (const field of fields(bytes, node.payload, node.end)) {
    if (field.number !== NODE_OP_TYPE) continue;
    return new TextDecoder().decode(bytes.subarray(field.payload, field.end)) === "Constant";
  }
  return false;
}

function* rewriteConstant(bytes: Uint8Array, node: Field, location: string): Generator<Uint8Array> {
  for (const field of fields(bytes, node.payload, node.end)) {
    if (field.number === NODE_ATTRIBUTE && field.wireType === DELIMITED) {
      yield delimited(NODE_ATTRIBUTE, join(rewriteAttribute(bytes, field, location)));
    } else yield bytes.subarray(field.start, field.end);
  }
}

function* rewriteAttribute(
  bytes: Uint8Array,
  attribute: Field,
  location: string,
): Generator<Uint8Array> {
  for (const field of fields(bytes, attribute.payload, attribute.end)) {
    if (field.number === ATTRIBUTE_TENSOR && field.wireType === DELIMITED) {
      yield delimited(ATTRIBUTE_TENSOR, join(rewriteTensor(bytes, field, location)));
    } else yield bytes.subarray(field.start, field.end);
  }
}

function* rewriteTensor(bytes: Uint8Array, tensor: Field, location: string): Generator<Uint8Array> {
  for (const field of fields(bytes, tensor.payload, tensor.end)) {
    const byteLength = field.end - field.payload;
    if (field.number !== TENSOR_RAW_DATA || byteLength < MIN_EXTERNAL_BYTES) {
      yield bytes.subarray(field.start, field.end);
      continue;
    }
    const entries = { location, offset: String(field.payload), length: String(byteLength) };
    for (const [key, value] of Object.entries(entries)) {
      const entry = [
        delimited(ENTRY_KEY, utf8.encode(key)),
        delimited(ENTRY_VALUE, utf8.encode(value)),
      ];
      yield delimited(TENSOR_EXTERNAL_DATA, join(entry));
    }
    yield Uint8Array.of((TENSOR_DATA_LOCATION << 3) | VARINT, LOCATION_EXTERNAL);
  }
}

const utf8 = new TextEncoder();

function* fields(bytes: Uint8Array, from: number, to: number): Generator<Field> {
  for (let start = from; start < to;) {
    const tag = varint(bytes, start, to);
    const wireType = tag.value & 7;
    let payload = tag.end;
    let end: number;
    if (wireType === VARINT) end = varint(bytes, payload, to).end;
    else if (wireType === FIXED64) end = payload + 8;
    else if (wireType === FIXED32) end = payload + 4;
    else if (wireType === DELIMITED) {
      const length = varint(bytes, payload, to);
      payload = length.end;
      end = payload + length.value;
    } else throw new RangeError(`runtime: wire type ${wireType} at byte ${start}`);
    if (end > to)
      throw new RangeError(`runtime: a field at byte ${start} ends at ${end}, past ${to}`);
    yield { number: Math.floor(tag.value / 8), wireType, start, payload, end };
    start = end;
  }
}

/** The value is exact below 2^53; larger ones (negative int64) only matter as bytes to skip. */
function varint(bytes: Uint8Array, at: number, to: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 10 && at + i < to; i++) {
    const byte = bytes[at + i] ?? 0;
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { value, end: at + i + 1 };
  }
  throw new RangeError(`runtime: no varint at byte ${at}`);
}

function delimited(number: number, payload: Uint8Array): Uint8Array {
  const head: number[] = [(number << 3) | DELIMITED];
  let length = payload.length;
  for (; length > 127; length = Math.floor(length / 128)) head.push((length & 127) | 128);
  head.push(length);
  return join([Uint8Array.from(head), payload]);
}

function join(parts: Iterable<Uint8Array>): Uint8Array {
  const all: Uint8Array[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    // What follows on in the file is one piece: millions of fields of two bytes are not millions of views.
    if (last?.buffer === part.buffer && last.byteOffset + last.length === part.byteOffset) {
      all[all.length - 1] = new Uint8Array(part.buffer, last.byteOffset, last.length + part.length);
    } else all.push(part);
  }
  const joined = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
