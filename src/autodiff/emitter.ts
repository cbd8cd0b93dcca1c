/** @file Emitting nodes and constants into a graph, with the type of every value at hand. */
import { makeInt } from "../graph/attributes.ts";
import { makeInt64, makeNode, makeTensor, opsetVersion } from "../graph/build.ts";
import { type Inferred, inferNode } from "../graph/infer.ts";
import type { ValueType } from "../graph/infer-rule.ts";
import { Names, Scope } from "../graph/scope.ts";
import { nodeLabel } from "../graph/weights.ts";
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Attribute, Dimension, Model, Node } from "../onnx/model.ts";
import type { Emitter, MaybeValue, Target } from "./rule.ts";

/** Emits into `nodes`, and constants into the model's initializers; the nodes' place is the caller's affair. */
export class GraphEmitter implements Emitter {
  readonly target: Target;
  readonly opset: number;
  /** What was emitted and not yet taken, in topological order. */
  nodes: Node[] = [];
  /** The node that a rule or an expansion is at work on. */
  node: Node | undefined;
  readonly names: Names;
  readonly #model: Model;
  readonly #inferred: Inferred;
  readonly #scope: Scope;
  readonly #types = new Map<string, ValueType>();
  readonly #constants = new Map<string, string>();

  constructor(model: Model, inferred: Inferred, target: Target) {
    this.target = target;
    this.opset = opsetVersion(model) ?? 0;
    this.names = new Names(model);
    this.#model = model;
    this.#inferred = inferred;
    this.#scope = Scope.of(model.graph);
  }

  emit(
    opType: string,
    inputs: readonly MaybeValue[],
    attributes: readonly Attribute[] = [],
  ): string {
    return this.emitAll(opType, inputs, 1, attributes)[0] ?? "";
  }

  emitAll(
    opType: string,
    inputs: readonly MaybeValue[],
    outputs: number,
    attributes: readonly Attribute[] = [],
  ): string[] {
    const outputNames = Array.from({ length: outputs }, () => this.names.fresh(`hone.${opType}`));
    const inputNames = inputs.map((name) => name ?? "");
    while (inputNames.at(-1) === "") inputNames.pop();
    const node = makeNode(opType, inputNames, outputNames, {
      name: outputNames[0] ?? "",
      attributes: [...attributes],
    });
    this.nodes.push(node);
    this.infer(node);
    return outputNames;
  }

  /** Notes the types of a node's outputs. */
  infer(node: Node): void {
    const inputs = node.inputs.map((name) => (name ? this.type(name) : undefined));
    const outputs = inferNode(node, this.opset, inputs);
    node.outputs.forEach((name, i) => {
      const type = outputs[i];
      if (name && type) this.#types.set(name, type);
    });
  }

  type(name: string): ValueType {
    return (
      this.#types.get(name) ?? {
        elementType: this.#inferred.elementType(this.#scope, name),
        shape: this.#inferred.shape(this.#scope, name),
        value: this.#inferred.value(this.#scope, name),
      }
    );
  }

  setType(name: string, type: ValueType): void {
    this.#types.set(name, type);
  }

  int64(values: readonly number[]): string {
    return this.#constant(`7 [${values}]`, DataType.int64, [values.length], values, (name) =>
      makeInt64(name, values),
    );
  }

  int64Scalar(value: number): string {
    return this.#constant(`7 ${value}`, DataType.int64, [], [value], (name) =>
      makeInt64(name, [value], true),
    );
  }

  float(value: number): string {
    return this.floats([value], []);
  }

  floats(values: ArrayLike<number>, dims: readonly number[]): string {
    const type = this.#floatType();
    const typed =
      type === DataType.float64 ? new Float64Array(values) : new Float32Array(Array.from(values));
    if (typed.length !== elementCount(dims)) {
      throw this.refusal(`a constant of ${typed.length} elements has dims [${dims}]`);
    }
    const bytes = new Uint8Array(typed.buffer);
    const key = typed.length <= 16 ? `${type} [${dims}] ${bytes.join()}` : undefined;
    return this.#constant(key, type, dims, typed.length <= 16 ? [...typed] : undefined, (name) =>
      makeTensor(name, type, [...dims], bytes),
    );
  }

  #floatType(): DataType {
    for (const name of this.node?.inputs ?? []) {
      const type = name ? this.elementType(name) : undefined;
      if (type === DataType.float32 || type === DataType.float64) return type;
    }
    return DataType.float32;
  }

  #constant(
    key: string | undefined,
    elementType: DataType,
    dims: readonly number[],
    value: readonly number[] | undefined,
    make: (name: string) => ReturnType<typeof makeTensor>,
  ): string {
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.names.fresh("hone.constant");
    this.#model.graph.initializers.set(name, make(name));
    this.#types.set(name, {
      elementType,
      shape: [...dims],
      value: dims.length <= 1 ? value?.slice() : undefined,
    });
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  shape(name: string): Dimension[] | undefined {
    return this.type(name).shape;
  }

  dims(name: string): Dimension[] {
    const shape = this.shape(name);
    if (!shape) throw this.refusal(`the rank of "${name}" is not known`);
    return shape;
  }

  sizes(name: string, from = 0): number[] {
    return this.dims(name).map((dim, axis) => {
      if (typeof dim === "number") return dim;
      if (axis < from) return -1;
      throw this.refusal(
        `the size of "${name}" along axis ${axis} is not known${this.#whereFrom(dim)}`,
      );
    });
  }

  /** The input that leaves a size open, and what to do about it. */
  #whereFrom(dim: Dimension): string {
    if (dim === undefined) return ": it follows from values in the run";
    for (const { name, type } of this.#model.graph.inputs) {
      const axis = type?.kind === "tensor" ? (type.shape?.indexOf(dim) ?? -1) : -1;
      if (axis >= 0) return `: the input "${name}" leaves axis ${axis} open, fix it in the model`;
    }
    return "";
  }

  elementType(name: string): number | undefined {
    return this.type(name).elementType;
  }

  value(name: MaybeValue): Dimension[] | undefined {
    return name ? this.type(name).value : undefined;
  }

  numbers(name: MaybeValue): number[] | undefined {
    const value = this.value(name);
    return value?.every((element) => typeof element === "number") ? value : undefined;
  }

  shapeOf(name: string): string {
    const shape = this.shape(name);
    return shape?.every((dim) => typeof dim === "number")
      ? this.int64(shape)
      : this.emit("Shape", [name]);
  }

  reduce(opType: string, value: string, axes: readonly number[], keepDims: boolean): string {
    if (axes.length === 0) return value;
    return this.emit(opType, [value, this.int64(axes)], [makeInt("keepdims", keepDims ? 1 : 0)]);
  }

  reshape(value: string, dims: readonly Dimension[]): string {
    if (dims.filter((dim) => typeof dim !== "number").length > 1) {
      throw this.refusal(`[${dims.join(", ")}] has more than one size that is not known`);
    }
    const shape = this.shape(value);
    if (shape?.length === dims.length && shape.every((dim, i) => isSame(dim, dims[i]))) {
      return value;
    }
    const target = this.int64(dims.map((dim) => (typeof dim === "number" ? dim : -1)));
    const result = this.emit("Reshape", [value, target]);
    this.setType(result, { elementType: this.elementType(value), shape: [...dims] });
    return result;
  }

  reshapeLike(value: string, like: string): string {
    const shape = this.shape(like);
    if (shape && shape.filter((dim) => typeof dim !== "number").length <= 1) {
      return this.reshape(value, shape);
    }
    const result = this.emit("Reshape", [value, this.emit("Shape", [like])]);
    this.setType(result, { elementType: this.elementType(value), shape });
    return result;
  }

  zeros(like: string): string {
    const shape = this.shape(like);
    const result = this.emit("Expand", [this.float(0), this.shapeOf(like)]);
    this.setType(result, { elementType: this.elementType(like), shape });
    return result;
  }

  /** Does a rule's work on a node; whatever it refuses names the node. */
  at<T>(node: Node, work: () => T): T {
    this.node = node;
    try {
      return work();
    } catch (error) {
      const isPlain = error instanceof RangeError && !error.message.startsWith("autodiff: ");
      throw isPlain ? this.refusal(error.message) : error;
    }
  }

  refusal(reason: string): RangeError {
    return new RangeError(`autodiff: ${this.node ? nodeLabel(this.node) : "the model"}: ${reason}`);
  }
}

const isSame = (a: Dimension, b: Dimension): boolean => a !== undefined && a === b;
