/** @file What an adapter sees of the node it lifts by one opset, and the ways it can change the graph. */
import { attributeValue, makeInt, makeInts } from "../graph/attributes.ts";
import { makeNode, makeTensor } from "../graph/build.ts";
import { constantNumbers } from "../graph/constants.ts";
import type { Inferred } from "../graph/infer.ts";
import type { Names, Scope } from "../graph/scope.ts";
import { DataType, dataTypeName } from "../onnx/data-type.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { Attribute, AttributeValue, Dimension, Graph, Node } from "../onnx/model.ts";

/** Rewrites a node from the opset before `lift.version` to that opset. */
export type Adapter = (lift: NodeLift) => void | Promise<void>;

/** The graph that holds the node, as it was before any lifting. */
export interface Place {
  graph: Graph;
  scope: Scope;
  inferred: Inferred;
  names: Names;
}

type ValueOf<T extends AttributeValue["type"]> = Extract<
  AttributeValue,
  { type: T; value: unknown }
>["value"];

export class NodeLift {
  /** Changed in place. */
  readonly node: Node;
  /** The opset that this step leads to; nodes that an adapter makes must be valid in it. */
  readonly version: number;
  readonly #place: Place;
  readonly #before: Node[] = [];
  readonly #after: Node[] = [];
  readonly #original: Node;
  #isKept = true;

  constructor(node: Node, version: number, place: Place) {
    this.node = node;
    this.#original = {
      ...node,
      inputs: [...node.inputs],
      outputs: [...node.outputs],
      attributes: [...node.attributes],
    };
    this.version = version;
    this.#place = place;
  }

  /** The node and those added around it, in order. */
  get nodes(): Node[] {
    return [...this.#before, ...(this.#isKept ? [this.node] : []), ...this.#after];
  }

  /** True when the adapter found something to change. */
  get isChanged(): boolean {
    const { node } = this;
    const before = this.#original;
    const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
      a.length === b.length && a.every((element, i) => element === b[i]);
    return !(
      this.nodes.length === 1 &&
      node.opType === before.opType &&
      isSame(node.inputs, before.inputs) &&
      isSame(node.outputs, before.outputs) &&
      isSame(node.attributes, before.attributes)
    );
  }

  /** @throws OnnxError naming the node, the op type and the reason */
  refuse(reason: string): never {
    const { opType, name, outputs } = this.node;
    throw new OnnxError(
      "unsupported",
      `${opType} "${name || (outputs[0] ?? "")}" cannot be lifted to opset ${this.version}: ${reason}`,
    );
  }

  shape(name: string | undefined): Dimension[] | undefined {
    return name ? this.#place.inferred.shape(this.#place.scope, name) : undefined;
  }

  /** @throws OnnxError when it is not known */
  rank(name: string | undefined): number {
    return this.shape(name)?.length ?? this.refuse(`the rank of "${name ?? ""}" is not known`);
  }

  /** @throws OnnxError when it is not known */
  elementType(name: string | undefined): number {
    const type = name ? this.#place.inferred.elementType(this.#place.scope, name) : undefined;
    return type ?? this.refuse(`the element type of "${name ?? ""}" is not known`);
  }

  /** The numbers of a small constant; `undefined` for what is computed or large. */
  async constant(name: string | undefined): Promise<number[] | undefined> {
    return name ? await constantNumbers(this.#place.scope, name) : undefined;
  }

  /** True unless nothing reads the output. */
  isUsed(output: string): boolean {
    const { scope } = this.#place;
    return (
      output !== "" &&
      (!scope.producer(output) || scope.isOutput(output) || scope.uses(output).length > 0)
    );
  }

  /** Removes an attribute and gives its value; an attribute of another type is an error of the model. */
  take<T extends AttributeValue["type"]>(name: string, type: T): ValueOf<T> | undefined {
    const value = attributeValue(this.node, name, type);
    this.drop(name);
    return value as ValueOf<T> | undefined;
  }

  takeText(name: string): string | undefined {
    const bytes = this.take(name, "string");
    return bytes && new TextDecoder().decode(bytes);
  }

  drop(...names: string[]): void {
    this.node.attributes = this.node.attributes.filter(
      (attribute) => !names.includes(attribute.name),
    );
  }

  /** Sets an attribute, in place of one of the same name. */
  set(attribute: Attribute): void {
    this.drop(attribute.name);
    this.node.attributes.push(attribute);
  }

  /** Sets an input by its index; inputs before it that are missing become empty. */
  setInput(index: number, name: string): void {
    while (this.node.inputs.length <= index) this.node.inputs.push("");
    this.node.inputs[index] = name;
  }

  /** A name that is free in the model, after the node's own. */
  fresh(role: string): string {
    return this.#place.names.fresh(
      `${this.node.name || (this.node.outputs[0] ?? this.node.opType)}_${role}`,
    );
  }

  /** Stores an int64 vector (or scalar) as an initializer and gives its name. */
  int64(role: string, values: readonly (number | bigint)[], isScalar = false): string {
    const name = this.fresh(role);
    const data = BigInt64Array.from(values, BigInt);
    const dims = isScalar ? [] : [values.length];
    this.#place.graph.initializers.set(
      name,
      makeTensor(name, DataType.int64, dims, new Uint8Array(data.buffer)),
    );
    return name;
  }

  /** Stores a float32 vector as an initializer and gives its name. */
  float32(role: string, values: readonly number[], dims: number[] = [values.length]): string {
    const name = this.fresh(role);
    const data = Float32Array.from(values);
    this.#place.graph.initializers.set(
      name,
      makeTensor(name, DataType.float32, dims, new Uint8Array(data.buffer)),
    );
    return name;
  }

  /** Stores one number as a float tensor of the given type and dims of ones. */
  scalar(role: string, elementType: number, value: number, dims: number[] = []): string {
    const bytes = floatBytes(elementType, value);
    if (!bytes) this.refuse(`a constant of ${dataTypeName(elementType)} would be needed`);
    const name = this.fresh(role);
    this.#place.graph.initializers.set(
      name,
      makeTensor(name, elementType as DataType, dims, bytes),
    );
    return name;
  }

  /** Adds a node before this one and gives its output, a new name. */
  before(opType: string, inputs: string[], role: string, attributes: Attribute[] = []): string {
    const output = this.fresh(role);
    this.#before.push(makeNode(opType, inputs, [output], { name: output, attributes }));
    return output;
  }

  /** Adds a node after this one that makes `output`. */
  after(opType: string, inputs: string[], output: string, attributes: Attribute[] = []): void {
    this.#after.push(makeNode(opType, inputs, [output], { name: this.fresh(opType), attributes }));
  }

  /** Leaves the node itself out; what `before` and `after` added stays. */
  remove(): void {
    this.#isKept = false;
  }

  /** Adds `Unsqueeze(input)` before the node, in the form of this version. */
  unsqueeze(input: string, axes: readonly number[], role: string): string {
    if (this.version < 13) return this.before("Unsqueeze", [input], role, [makeInts("axes", axes)]);
    return this.before("Unsqueeze", [input, this.int64(`${role}_axes`, axes)], role);
  }

  /** Adds `Cast(input)` after the node that makes `output`. */
  castAfter(input: string, output: string, elementType: number): void {
    this.after("Cast", [input], output, [makeInt("to", elementType)]);
  }
}

function floatBytes(elementType: number, value: number): Uint8Array | undefined {
  switch (elementType) {
    case DataType.float32:
      return new Uint8Array(Float32Array.of(value).buffer);
    case DataType.float64:
      return new Uint8Array(Float64Array.of(value).buffer);
    case DataType.float16:
      return new Uint8Array(Float16Array.of(value).buffer);
    case DataType.int32:
      return new Uint8Array(Int32Array.of(value).buffer);
    case DataType.int64:
      return new Uint8Array(BigInt64Array.of(BigInt(Math.trunc(value))).buffer);
    default:
      return undefined;
  }
}
