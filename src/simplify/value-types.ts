/** @file Element types and shapes by name, from nothing but what ONNX Runtime enforces: the inputs' sizes and the weights. */
import { type Inferred, inferTypes } from "../graph/infer.ts";
import { Scope } from "../graph/scope.ts";
import type { Dimension, Graph, Model, TensorType, ValueInfo } from "../onnx/model.ts";
import { subgraphs } from "../graph/attributes.ts";

export class ValueTypes {
  readonly #inferred: Inferred;
  readonly #scopes = new Map<string, Scope>();

  private constructor(root: Scope, inferred: Inferred) {
    this.#inferred = inferred;
    for (const scope of root.walk()) {
      for (const { name } of scope.graph.inputs) this.#scopes.set(name, scope);
      for (const name of scope.graph.initializers.keys()) this.#scopes.set(name, scope);
      for (const node of scope.graph.nodes) {
        for (const name of node.outputs) this.#scopes.set(name, scope);
      }
    }
  }

  static async of(model: Model): Promise<ValueTypes> {
    return new ValueTypes(Scope.of(model.graph), await inferTypes(model));
  }

  elementType(name: string | undefined): number | undefined {
    const scope = this.#scopes.get(name ?? "");
    return scope && this.#inferred.elementType(scope, name ?? "");
  }

  shape(name: string | undefined): Dimension[] | undefined {
    const scope = this.#scopes.get(name ?? "");
    return scope && this.#inferred.shape(scope, name ?? "");
  }

  /** Contents of a small vector or scalar that do not depend on what is fed. */
  value(name: string | undefined): Dimension[] | undefined {
    const scope = this.#scopes.get(name ?? "");
    return scope && this.#inferred.value(scope, name ?? "");
  }

  /** Both are known to have the same shape, whatever is fed. */
  sameShape(a: string | undefined, b: string | undefined): boolean {
    const [left, right] = [this.shape(a), this.shape(b)];
    if (!left || left.length !== right?.length) return false;
    return left.every((dim, axis) => dim !== undefined && dim === right[axis]);
  }
}

/**
 * Takes away what a model declares and ONNX Runtime does not enforce: shapes inside and of outputs (exporters leave
 * wrong ones), and symbols that stand for one size in two places. Element types stay.
 * @returns puts the declarations back, of the names that are still there
 */
export function setDeclarationsAside(model: Model): () => void {
  const infos: ValueInfo[] = [];
  const types = new Map<ValueInfo, ValueInfo["type"]>();
  const setAside = (info: ValueInfo, type: ValueInfo["type"]): void => {
    types.set(info, info.type);
    info.type = type;
  };
  for (const info of model.graph.inputs) setAside(info, distinct(info));
  for (const graph of graphsOf(model.graph)) {
    infos.push(...graph.valueInfos);
    graph.valueInfos = graph.valueInfos.map((info) => ({ ...info, type: shapeless(info.type) }));
    const edges = graph === model.graph ? graph.outputs : [...graph.inputs, ...graph.outputs];
    for (const info of edges) setAside(info, shapeless(info.type));
  }
  return () => {
    for (const [info, type] of types) info.type = type;
    const homes = new Map<string, Graph>();
    for (const graph of graphsOf(model.graph)) {
      graph.valueInfos = [];
      for (const node of graph.nodes) for (const name of node.outputs) homes.set(name, graph);
      for (const { name } of graph.outputs) homes.delete(name);
    }
    for (const info of infos) homes.get(info.name)?.valueInfos.push(info);
  };
}

function* graphsOf(graph: Graph): Generator<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const body of subgraphs(node)) yield* graphsOf(body);
}

function shapeless(type: ValueInfo["type"]): ValueInfo["type"] {
  if (type?.kind !== "tensor") return type;
  return { kind: "tensor", elementType: type.elementType, shape: undefined };
}

/** Each open size of an input under a symbol of its own. */
function distinct({ name, type }: ValueInfo): ValueInfo["type"] {
  if (type?.kind !== "tensor") return type;
  const shape = type.shape?.map((dim, axis) =>
    typeof dim === "number" && dim > 0 ? dim : `${name}[${axis}]`,
  );
  return { kind: "tensor", elementType: type.elementType, shape } satisfies TensorType;
}
