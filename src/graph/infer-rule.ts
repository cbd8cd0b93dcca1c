/** @file What an inference rule sees of a node, and what it says about the node's outputs. */
import type { Dimension, Graph, Node } from "../onnx/model.ts";
import {
  findAttribute,
  floatAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from "./attributes.ts";

/** What is known of one value; each part may be unknown. */
export interface ValueType {
  /** `DataType` code. */
  elementType?: number | undefined;
  /** `undefined`: not even the rank is known. */
  shape?: Dimension[] | undefined;
  /**
   * The contents of a small scalar or vector: numbers, or symbols where an element is the size of a
   * symbolic dimension. This is what carries Shape → Gather → Concat → Reshape.
   */
  value?: Dimension[] | undefined;
  /** The value is a sequence (or an optional) of such values. */
  sequenceOf?: ValueType | undefined;
}

/** The outputs of a node, in order; fewer than the node has leave the rest unknown. */
export type InferRule = (node: NodeTypes) => ValueType[];

/** Rules by op type. */
export type RuleTable = Readonly<Record<string, InferRule>>;

/** Most elements that are followed as contents: shapes, axes, scales; not weights. */
export const MAX_FOLLOWED = 256;

const UNKNOWN: ValueType = {};

/** A node with what is known of its inputs. */
export class NodeTypes {
  readonly node: Node;
  /** The version of the node's domain that the graph imports. */
  readonly version: number;
  readonly #inputs: readonly (ValueType | undefined)[];
  /** Infers a graph in an attribute, given the types of its inputs. */
  readonly inferBody: (body: Graph, inputs: ValueType[]) => ValueType[];

  constructor(
    node: Node,
    version: number,
    inputs: readonly (ValueType | undefined)[],
    inferBody: (body: Graph, inputs: ValueType[]) => ValueType[],
  ) {
    this.node = node;
    this.version = version;
    this.#inputs = inputs;
    this.inferBody = inferBody;
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  get outputCount(): number {
    return this.node.outputs.length;
  }

  /** True when the node gives its input `index` (an empty name leaves it out). */
  present(index: number): boolean {
    return Boolean(this.node.inputs[index]);
  }

  input(index: number): ValueType {
    return this.#inputs[index] ?? UNKNOWN;
  }

  inputs(): ValueType[] {
    return this.node.inputs.map((_, index) => this.input(index));
  }

  type(index: number): number | undefined {
    return this.input(index).elementType;
  }

  shape(index: number): Dimension[] | undefined {
    return this.input(index).shape;
  }

  rank(index: number): number | undefined {
    return this.input(index).shape?.length;
  }

  /** The contents of an input, where they were followed. */
  value(index: number): Dimension[] | undefined {
    return this.input(index).value;
  }

  /** The contents of an input where all of them are numbers. */
  numbers(index: number): number[] | undefined {
    const value = this.value(index);
    return value?.every((element) => typeof element === "number") ? value : undefined;
  }

  has(attribute: string): boolean {
    return findAttribute(this.node, attribute) !== undefined;
  }

  int(attribute: string, fallback: number): number {
    return intAttribute(this.node, attribute, fallback);
  }

  ints(attribute: string): number[] | undefined {
    return intsAttribute(this.node, attribute);
  }

  float(attribute: string, fallback: number): number {
    return floatAttribute(this.node, attribute, fallback);
  }

  string(attribute: string, fallback: string): string {
    return stringAttribute(this.node, attribute, fallback);
  }

  /**
   * A list that newer opsets give as an input and older ones as an attribute (axes, pads, split, …):
   * its numbers, `null` where the node leaves it out, `undefined` where it is computed at run time.
   */
  list(attribute: string, input: number): number[] | null | undefined {
    const listed = this.ints(attribute);
    if (listed) return listed;
    return this.present(input) ? this.numbers(input) : null;
  }
}
