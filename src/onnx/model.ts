/**
 * @file A model in memory: ONNX's messages as plain objects, weights lazy.
 *
 * The shapes follow onnx.proto (IR version 13), with these differences: every tensor's data is a
 * `TensorData` in the raw little-endian form whatever field it came from; text is decoded;
 * fields this file does not name are kept as bytes in `unknown` and written back as they were.
 */
import type { DataType } from "./data-type.ts";
import type { TensorData } from "./tensor-data.ts";

export interface StringEntry {
  key: string;
  value: string;
}

export interface OpsetImport {
  /** `""` is ai.onnx. */
  domain: string;
  version: number;
}

export interface Model {
  irVersion: number;
  opsetImports: OpsetImport[];
  producerName: string;
  producerVersion: string;
  domain: string;
  modelVersion: bigint;
  docString: string;
  graph: Graph;
  metadata: StringEntry[];
  functions: FunctionDefinition[];
  unknown?: Uint8Array;
}

export interface Graph {
  name: string;
  docString: string;
  /** In topological order, as ONNX demands. */
  nodes: Node[];
  /** By name, in the order of the file. */
  initializers: Map<string, Tensor>;
  sparseInitializers: SparseTensor[];
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  valueInfos: ValueInfo[];
  metadata: StringEntry[];
  /** Includes quantization_annotation. */
  unknown?: Uint8Array;
}

export interface Node {
  opType: string;
  /** `""` is ai.onnx (also when the file spells it out). */
  domain: string;
  name: string;
  /** `""` stands for an input that is left out. */
  inputs: string[];
  outputs: string[];
  attributes: Attribute[];
  docString: string;
  overload: string;
  metadata: StringEntry[];
  unknown?: Uint8Array;
}

interface AttributeBase {
  name: string;
  docString?: string;
  /** Inside a function: the function's attribute that this one takes its value from. */
  refAttrName?: string;
  unknown?: Uint8Array;
}

export type AttributeValue =
  | { type: "float"; value: number }
  | { type: "int"; value: bigint }
  | { type: "string"; value: Uint8Array }
  | { type: "tensor"; value: Tensor }
  | { type: "graph"; value: Graph }
  | { type: "sparse_tensor"; value: SparseTensor }
  | { type: "type_proto"; value: Uint8Array }
  | { type: "floats"; value: number[] }
  | { type: "ints"; value: bigint[] }
  | { type: "strings"; value: Uint8Array[] }
  | { type: "tensors"; value: Tensor[] }
  | { type: "graphs"; value: Graph[] }
  | { type: "sparse_tensors"; value: SparseTensor[] }
  | { type: "type_protos"; value: Uint8Array[] }
  /** Only a reference (`refAttrName`), or a type without a value. */
  | { type: "none"; typeCode: number };

export type Attribute = AttributeBase & AttributeValue;

export interface Tensor {
  name: string;
  dataType: DataType;
  dims: number[];
  /** Raw little-endian bytes; empty for strings. */
  data: TensorData;
  /** Only for `DataType.string`. */
  strings?: Uint8Array[];
  /** The typed field (int32_data, int64_data, uint64_data) that the file kept the data in, while `data` is still `of`. */
  varints?: { field: number; packed: TensorData; of: TensorData };
  docString?: string;
  metadata?: StringEntry[];
  unknown?: Uint8Array;
}

export interface SparseTensor {
  values: Tensor;
  /** int64 [nnz] linear, or [nnz, rank]. */
  indices: Tensor;
  dims: number[];
  unknown?: Uint8Array;
}

/** A dimension: its size, the name of a symbol, or unknown. */
export type Dimension = number | string | undefined;

export interface TensorType {
  kind: "tensor";
  elementType: number;
  /** `undefined`: the rank is not known. */
  shape: Dimension[] | undefined;
  /** Denotations and other fields of the type that Hone does not use, as the original message. */
  original?: { bytes: Uint8Array; elementType: number; shape: string };
}

/** Sequence, map, optional and sparse tensor types, as TypeProto bytes. */
export interface OpaqueType {
  kind: "opaque";
  bytes: Uint8Array;
}

export interface ValueInfo {
  name: string;
  type: TensorType | OpaqueType | undefined;
  docString?: string;
  metadata?: StringEntry[];
  unknown?: Uint8Array;
}

export interface FunctionDefinition {
  name: string;
  domain: string;
  overload: string;
  inputs: string[];
  outputs: string[];
  /** Names of attributes without a default. */
  attributeNames: string[];
  /** Attributes with a default. */
  attributeDefaults: Attribute[];
  nodes: Node[];
  opsetImports: OpsetImport[];
  valueInfos: ValueInfo[];
  docString: string;
  metadata: StringEntry[];
  unknown?: Uint8Array;
}
