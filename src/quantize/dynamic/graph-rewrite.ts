/**
 * @file One graph while its nodes are replaced, in order: the nodes made so far, and which values have
 * codes by now.
 */
import { makeInt } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import type { Names, Scope } from "../../graph/scope.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import type { QuantizedValue } from "./quantized-value.ts";

export class GraphRewrite {
  readonly scope: Scope;
  readonly parent: GraphRewrite | undefined;
  readonly names: Names;
  /** Nodes on constants, before all others. */
  readonly #front: Node[] = [];
  readonly #nodes: Node[] = [];
  readonly #removed = new Set<Node>();
  readonly #values = new Map<string, QuantizedValue>();
  readonly #scaleProducts = new Map<string, string>();

  constructor(scope: Scope, parent: GraphRewrite | undefined, names: Names) {
    this.scope = scope;
    this.parent = parent;
    this.names = names;
  }

  /** The rewrite, of this graph or one around it, of the graph that defines the name. */
  home(name: string): GraphRewrite {
    const defining = this.scope.definingScope(name);
    return (defining && this.of(defining)) ?? this;
  }

  /** The rewrite of an enclosing scope (or of this one). */
  of(scope: Scope): GraphRewrite | undefined {
    return this.scope === scope ? this : this.parent?.of(scope);
  }

  find(name: string): QuantizedValue | undefined {
    return this.home(name).#values.get(name);
  }

  /** Says that the value `name`, which this graph defines, has codes. The first codes of a value stay. */
  define(name: string, value: QuantizedValue): void {
    if (!this.#values.has(name)) this.#values.set(name, value);
  }

  push(...nodes: Node[]): void {
    this.#nodes.push(...nodes);
  }

  pushFront(node: Node): void {
    this.#front.push(node);
  }

  /**
   * Codes of an activation: those it has, or a DynamicQuantizeLinear's, which goes to the graph that
   * defines the value, before the node that is being replaced there.
   */
  quantizeActivation(name: string): QuantizedValue {
    const found = this.find(name);
    if (found) return found;
    const home = this.home(name);
    const value: QuantizedValue = {
      codes: this.names.fresh(`${name}_quantized`),
      scale: this.names.fresh(`${name}_scale`),
      zeroPoint: this.names.fresh(`${name}_zero_point`),
      type: "uint8",
      floatType: DataType.float32,
      hasFloat: true,
      constant: false,
    };
    const outputs = [value.codes, value.scale, value.zeroPoint];
    const label = this.names.fresh(`${name}_QuantizeLinear`);
    home.push(makeNode("DynamicQuantizeLinear", [name], outputs, { name: label }));
    home.define(name, value);
    return value;
  }

  /** Makes sure that the float value of `name` exists for a node that reads it. */
  dequantize(name: string): void {
    const value = this.find(name);
    if (!value || value.hasFloat) return;
    value.hasFloat = true;
    const home = this.home(name);
    const node = makeNode("DequantizeLinear", [value.codes, value.scale, value.zeroPoint], [name], {
      name: this.names.fresh(`${name}_DequantizeLinear`),
    });
    if (value.axis !== undefined) node.attributes.push(makeInt("axis", value.axis));
    if (!value.constant) return home.push(node);
    home.removeDefinition(name);
    home.pushFront(node);
  }

  /** Takes away the initializer or the node that makes `name` here, because another node will. */
  removeDefinition(name: string): void {
    const { graph } = this.scope;
    graph.initializers.delete(name);
    graph.inputs = graph.inputs.filter((info) => info.name !== name);
    const producer = this.scope.producer(name);
    if (producer) this.#removed.add(producer);
  }

  /**
   * The output of a Mul of two scales. Nodes without a name share one per pair of scales, as
   * onnxruntime's quantizer lets them.
   */
  scaleProduct(left: string, right: string, nodeName: string): string {
    const key = `${left}_${right}_mul`;
    const shared = nodeName === "" ? this.#scaleProducts.get(key) : undefined;
    if (shared) return shared;
    const label = this.names.fresh(nodeName === "" ? key : `${nodeName}_scales_mul`);
    const output = this.names.fresh(`${label}:0`);
    this.push(makeNode("Mul", [left, right], [output], { name: label }));
    if (nodeName === "") this.#scaleProducts.set(key, output);
    return output;
  }

  /** Puts the new nodes into the graph. */
  finish(): void {
    for (const output of this.scope.graph.outputs) this.dequantize(output.name);
    const nodes = [...this.#front, ...this.#nodes];
    this.scope.graph.nodes = nodes.filter((node) => !this.#removed.has(node));
  }
}
