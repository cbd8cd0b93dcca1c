/** @file The float32 values of a graph and its subgraphs: who makes each, and who reads it. */
import { constantTensor } from "../../graph/constants.ts";
import type { Scope } from "../../graph/scope.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node, SparseTensor, Tensor } from "../../onnx/model.ts";
import type { ElementTypes } from "./element-types.ts";

/** A float32 tensor with a name, in the scope that defines it. */
export interface Value {
  name: string;
  scope: Scope;
  /** The node that makes it; also the Constant node that holds it. */
  producer: Node | undefined;
  /** The stored tensor of an initializer or a Constant node. */
  tensor: Tensor | undefined;
  sparse: SparseTensor | undefined;
  /** An input of its graph (an initializer can be one too). */
  isInput: boolean;
}

export class Values {
  readonly #byScope = new Map<Scope, Map<string, Value>>();

  constructor(root: Scope, types: ElementTypes) {
    for (const scope of root.walk()) this.#collect(scope, types);
  }

  #collect(scope: Scope, types: ElementTypes): void {
    const values = new Map<string, Value>();
    this.#byScope.set(scope, values);
    const add = (name: string, origin: Partial<Value>): void => {
      if (name === "" || types.of(scope, name) !== DataType.float32) return;
      const known = values.get(name);
      if (known) Object.assign(known, origin);
      else {
        const none = { producer: undefined, tensor: undefined, sparse: undefined, isInput: false };
        values.set(name, { name, scope, ...none, ...origin });
      }
    };
    const { graph } = scope;
    for (const [name, tensor] of graph.initializers) add(name, { tensor });
    for (const sparse of graph.sparseInitializers) add(sparse.values.name, { sparse });
    for (const info of graph.inputs) add(info.name, { isInput: true });
    for (const node of graph.nodes) {
      const isConstant = node.opType === "Constant" && node.domain === "";
      const tensor = isConstant ? constantTensor(node) : undefined;
      for (const name of node.outputs) add(name, { producer: node, tensor });
    }
  }

  /** The value behind a name as seen from a scope; `undefined` unless it is a float32 tensor. */
  find(scope: Scope, name: string): Value | undefined {
    if (name === "") return undefined;
    const home = scope.definingScope(name);
    return home && this.#byScope.get(home)?.get(name);
  }

  in(scope: Scope): Iterable<Value> {
    return this.#byScope.get(scope)?.values() ?? [];
  }

  *all(): Generator<Value> {
    for (const values of this.#byScope.values()) yield* values.values();
  }
}
