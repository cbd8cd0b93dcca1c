/** @file Hand-made protobuf for tests: models good and bad, byte by byte. */

/** An unsigned varint. */
export function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

export const int = (field: number, value: number | bigint): number[] => [
  ...varint(field * 8),
  ...varint(value),
];
export const chunk = (field: number, bytes: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];
export const text = (field: number, value: string): number[] =>
  chunk(field, [...new TextEncoder().encode(value)]);
export const float = (field: number, value: number): number[] => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(new Float32Array([value]).buffer),
];

export const raw = (values: readonly number[]): number[] => [
  ...new Uint8Array(new Float32Array(values).buffer),
];

/** TensorProto of float32. */
export function tensor(name: string, dims: readonly number[], fields: readonly number[]): number[] {
  return [...dims.flatMap((dim) => int(1, dim)), ...int(2, 1), ...text(8, name), ...fields];
}

export function node(
  opType: string,
  inputs: string[],
  outputs: string[],
  fields: number[] = [],
): number[] {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(3, `${opType}_of_${outputs[0] ?? ""}`),
    ...text(4, opType),
    ...fields,
  ];
}

/** ValueInfoProto of float32 with the given dims. */
export function value(name: string, dims: readonly number[] = [2]): number[] {
  const shape = dims.flatMap((dim) => chunk(1, int(1, dim)));
  return [...text(1, name), ...chunk(2, chunk(1, [...int(1, 1), ...chunk(2, shape)]))];
}

export interface ModelParts {
  nodes?: number[][];
  initializers?: number[][];
  inputs?: number[][];
  outputs?: number[][];
  graph?: number[];
  model?: number[];
  opset?: number;
  ir?: number;
}

/** `y = x + w`, unless parts say otherwise. */
export function model(parts: ModelParts = {}): Uint8Array {
  const graph = [
    ...(parts.nodes ?? [node("Add", ["x", "w"], ["y"])]).flatMap((bytes) => chunk(1, bytes)),
    ...text(2, "g"),
    ...(parts.initializers ?? [tensor("w", [2], chunk(9, raw([1, 2])))]).flatMap((bytes) =>
      chunk(5, bytes),
    ),
    ...(parts.inputs ?? [value("x")]).flatMap((bytes) => chunk(11, bytes)),
    ...(parts.outputs ?? [value("y")]).flatMap((bytes) => chunk(12, bytes)),
    ...(parts.graph ?? []),
  ];
  return Uint8Array.from([
    ...int(1, parts.ir ?? 8),
    ...chunk(7, graph),
    ...chunk(8, int(2, parts.opset ?? 17)),
    ...(parts.model ?? []),
  ]);
}
