/**
 * @file Changes to the node lists of a model, collected and then applied in one walk per graph, so that
 * a pass costs the same for ten weights as for ten thousand.
 */
import { Scope } from "../../graph/scope.ts";
import type { Graph, Node } from "../../onnx/model.ts";
import type { Weight } from "../../graph/weights.ts";

export class GraphEdits {
  readonly #root: Graph;
  readonly #graphs = new Set<Graph>();
  readonly #before = new Map<Node, Node[]>();
  readonly #replaced = new Map<Node, readonly Node[]>();
  readonly #atEnd = new Map<Graph, Node[]>();
  readonly #positions = new Map<Graph, Map<Node, number>>();
  /** Names, by the graph that defines them, that are to go once nothing reads them. */
  readonly #candidates: { graph: Graph; name: string }[] = [];

  constructor(root: Graph) {
    this.#root = root;
  }

  /** Puts `nodes` in the place of `node`, which is in `graph`. */
  replace(graph: Graph, node: Node, nodes: readonly Node[]): void {
    this.#graphs.add(graph);
    this.#replaced.set(node, nodes);
  }

  /**
   * Puts nodes that make the weight's value where its stored tensor was: in the place of its Constant
   * node, or before the first reader of the initializer, so that the float values live no longer than needed.
   * The stored tensor goes.
   */
  produce(weight: Weight, nodes: readonly Node[]): void {
    const { graph } = weight.scope;
    if (weight.holder) return this.replace(graph, weight.holder, nodes);
    removeStored(graph, weight.name);
    this.#graphs.add(graph);
    const first = this.#firstReader(weight);
    if (first) append(this.#before, first, nodes);
    else append(this.#atEnd, graph, nodes);
  }

  /** Removes the weight's tensor, and chain nodes behind it, unless something still reads them afterwards. */
  dropIfUnused(weight: Weight): void {
    this.#candidates.push({ graph: weight.scope.graph, name: weight.name });
    for (const { node, scope } of weight.links) {
      this.#candidates.push({ graph: scope.graph, name: node.outputs[0] ?? "" });
    }
  }

  #firstReader({ scope, name }: Weight): Node | undefined {
    let positions = this.#positions.get(scope.graph);
    if (!positions) {
      positions = new Map(scope.graph.nodes.map((node, index) => [node, index]));
      this.#positions.set(scope.graph, positions);
    }
    let first: Node | undefined;
    let least = Infinity;
    for (const use of scope.uses(name)) {
      let node: Node | undefined = use.node;
      for (let at: Scope | undefined = use.scope; at && at !== scope; at = at.parent)
        node = at.owner;
      const position = (node && positions.get(node)) ?? Infinity;
      if (position < least) {
        least = position;
        first = node;
      }
    }
    return first;
  }

  /** Applies everything. Scopes made before are out of date afterwards. */
  apply(): void {
    for (const graph of this.#graphs) {
      graph.nodes = graph.nodes
        .flatMap((node) => [
          ...(this.#before.get(node) ?? []),
          ...(this.#replaced.get(node) ?? [node]),
        ])
        .concat(this.#atEnd.get(graph) ?? []);
    }
    this.#dropUnused();
  }

  #dropUnused(): void {
    const scopes = new Map<Graph, Scope>();
    if (this.#candidates.length > 0) {
      for (const scope of Scope.of(this.#root).walk()) scopes.set(scope.graph, scope);
    }
    const dead = new Set<Node>();
    const gone = new Map<Graph, Set<string>>();
    // the outermost links of a chain come last, so that each frees the one before it
    for (const { graph, name } of this.#candidates.toReversed()) {
      const scope = scopes.get(graph);
      if (!scope?.defines(name) || scope.isOutput(name)) continue;
      if (scope.uses(name).some((use) => !dead.has(use.node))) continue;
      const producer = scope.producer(name);
      if (producer) dead.add(producer);
      else removeStored(graph, name);
      const names = gone.get(graph);
      if (names) names.add(name);
      else gone.set(graph, new Set([name]));
    }
    for (const [graph, names] of gone) {
      graph.nodes = graph.nodes.filter((node) => !dead.has(node));
      graph.valueInfos = graph.valueInfos.filter((info) => !names.has(info.name));
    }
  }
}

/** Initializers of old models are graph inputs too. */
function removeStored(graph: Graph, name: string): void {
  graph.initializers.delete(name);
  if (graph.inputs.some((info) => info.name === name)) {
    graph.inputs = graph.inputs.filter((info) => info.name !== name);
  }
}

function append<K>(map: Map<K, Node[]>, key: K, nodes: readonly Node[]): void {
  const list = map.get(key);
  if (list) list.push(...nodes);
  else map.set(key, [...nodes]);
}
