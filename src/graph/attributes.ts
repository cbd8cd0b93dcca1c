/** @file Reading and making node attributes. */
import { OnnxError } from "../onnx/errors.ts";
import type { Attribute, AttributeValue, Graph, Node, Tensor } from "../onnx/model.ts";

const utf8 = new TextDecoder();
const utf8Encoder = new TextEncoder();

type ValueOf<T extends AttributeValue["type"]> =
  Extract<AttributeValue, { type: T }> extends {
    value: infer V;
  }
    ? V
    : never;

export function findAttribute(node: Node, name: string): Attribute | undefined {
  return node.attributes.find((attribute) => attribute.name === name);
}

/**
 * The value of an attribute of the given type, or `undefined` when the node has none of that name.
 * @throws OnnxError when the attribute is there with another type
 */
export function attributeValue<T extends AttributeValue["type"]>(
  node: Node,
  name: string,
  type: T,
): ValueOf<T> | undefined {
  const attribute = findAttribute(node, name);
  if (!attribute) return undefined;
  if (attribute.type !== type) {
    throw new OnnxError(
      "invalid_model",
      `attribute "${name}" of ${node.opType} "${node.name}" is ${attribute.type}, not ${type}`,
    );
  }
  return (attribute as { value: unknown }).value as ValueOf<T>;
}

/** An int attribute as a number, saturated to the safe integers (exporters write INT64_MAX for "to the end"). */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const value = attributeValue(node, name, "int");
  return value === undefined ? fallback : toSafeInteger(value);
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  return attributeValue(node, name, "float") ?? fallback;
}

export function intsAttribute(node: Node, name: string): number[] | undefined {
  return attributeValue(node, name, "ints")?.map(toSafeInteger);
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const value = attributeValue(node, name, "string");
  return value === undefined ? fallback : utf8.decode(value);
}

export function toSafeInteger(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}

export const makeInt = (name: string, value: number | bigint): Attribute => ({
  name,
  type: "int",
  value: BigInt(value),
});
export const makeInts = (name: string, value: readonly (number | bigint)[]): Attribute => ({
  name,
  type: "ints",
  value: value.map(BigInt),
});
export const makeFloat = (name: string, value: number): Attribute => ({
  name,
  type: "float",
  value: Math.fround(value),
});
export const makeFloats = (name: string, value: readonly number[]): Attribute => ({
  name,
  type: "floats",
  value: value.map(Math.fround),
});
export const makeString = (name: string, value: string): Attribute => ({
  name,
  type: "string",
  value: utf8Encoder.encode(value),
});
export const makeTensorAttribute = (name: string, value: Tensor): Attribute => ({
  name,
  type: "tensor",
  value,
});

/** The graphs in a node's attributes: the branches of If, the bodies of Loop and Scan. */
export function subgraphs(node: Node): Graph[] {
  if (node.attributes.length === 0) return [];
  const graphs: Graph[] = [];
  for (const attribute of node.attributes) {
    if (attribute.type === "graph") graphs.push(attribute.value);
    else if (attribute.type === "graphs") graphs.push(...attribute.value);
  }
  return graphs;
}
