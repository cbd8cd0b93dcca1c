/**
 * @file Who makes and who uses each name, in one graph and the graphs around it.
 *
 * A subgraph sees the names of the graphs that enclose it; a name is defined once on that path.
 * A scope is a snapshot: after nodes were added or removed, make a new one.
 */
import type { Graph, Model, Node, Tensor, ValueInfo } from "../onnx/model.ts";
import { subgraphs } from "./attributes.ts";

/** One place where a value is read. */
export interface Use {
  node: Node;
  /** Index into `node.inputs`. */
  input: number;
  /** The scope that holds the node: this one, or one nested in it. */
  scope: Scope;
}

export class Scope {
  readonly graph: Graph;
  readonly parent: Scope | undefined;
  /** The node of the parent graph whose attribute this graph is. */
  readonly owner: Node | undefined;
  readonly children: Scope[] = [];
  readonly #producers = new Map<string, Node>();
  readonly #uses = new Map<string, Use[]>();
  readonly #inputs: Map<string, ValueInfo>;
  readonly #sparse: Set<string>;
  readonly #outputs: Set<string>;

  private constructor(graph: Graph, parent?: Scope, owner?: Node) {
    this.graph = graph;
    this.parent = parent;
    this.owner = owner;
    this.#inputs = new Map(graph.inputs.map((info) => [info.name, info]));
    this.#sparse = new Set(graph.sparseInitializers.map(({ values }) => values.name));
    this.#outputs = new Set(graph.outputs.map((info) => info.name));
  }

  /** The scope tree of a graph. */
  static of(graph: Graph): Scope {
    return Scope.#build(graph, undefined, undefined);
  }

  static #build(graph: Graph, parent: Scope | undefined, owner: Node | undefined): Scope {
    const scope = new Scope(graph, parent, owner);
    for (const node of graph.nodes) {
      for (const output of node.outputs) if (output) scope.#producers.set(output, node);
    }
    for (const node of graph.nodes) {
      node.inputs.forEach((name, input) => {
        if (name) scope.#recordUse(name, { node, input, scope });
      });
      for (const body of subgraphs(node)) scope.children.push(Scope.#build(body, scope, node));
    }
    for (const output of graph.outputs) {
      const home = scope.definingScope(output.name);
      if (home && home !== scope) home.#outputs.add(output.name);
    }
    return scope;
  }

  #recordUse(name: string, use: Use): void {
    const home = this.definingScope(name) ?? this;
    const uses = home.#uses.get(name);
    if (uses) uses.push(use);
    else home.#uses.set(name, [use]);
  }

  /** This scope and all nested ones, outermost first. */
  *walk(): Generator<Scope> {
    yield this;
    for (const child of this.children) yield* child.walk();
  }

  /** True when the name is made here: by a node, as an initializer, or as an input. */
  defines(name: string): boolean {
    return (
      this.#producers.has(name) ||
      this.graph.initializers.has(name) ||
      this.#inputs.has(name) ||
      this.#sparse.has(name)
    );
  }

  /** The scope, from here outwards, that defines the name. */
  definingScope(name: string): Scope | undefined {
    return this.defines(name) ? this : this.parent?.definingScope(name);
  }

  /** The node that makes the name, seen from here. */
  producer(name: string): Node | undefined {
    const home = this.definingScope(name);
    return home && home.#producers.get(name);
  }

  /** The initializer of that name, seen from here (also when it is an overridable input). */
  initializer(name: string): Tensor | undefined {
    return this.definingScope(name)?.graph.initializers.get(name);
  }

  /** True when a caller can override the initializer, because it is also a graph input. */
  isInput(name: string): boolean {
    const home = this.definingScope(name);
    return home ? home.#inputs.has(name) : false;
  }

  /** All node inputs, here and in nested graphs, that read the name. */
  uses(name: string): readonly Use[] {
    return (this.definingScope(name) ?? this).#uses.get(name) ?? [];
  }

  /** True when the name is an output of its graph, or of a graph nested in it. */
  isOutput(name: string): boolean {
    const home = this.definingScope(name);
    return home ? home.#outputs.has(name) : false;
  }
}

/** Each name that occurs anywhere in the graph and its subgraphs; to make new names that are free. */
export class Names {
  readonly #taken = new Set<string>();
  /** By wanted name, the number to try next, so that many names of one kind take linear time. */
  readonly #next = new Map<string, number>();

  constructor(model: Model) {
    this.#collect(model.graph);
  }

  #collect(graph: Graph): void {
    for (const name of graph.initializers.keys()) this.#taken.add(name);
    for (const info of [...graph.inputs, ...graph.outputs]) this.#taken.add(info.name);
    for (const sparse of graph.sparseInitializers) this.#taken.add(sparse.values.name);
    for (const node of graph.nodes) {
      if (node.name) this.#taken.add(node.name);
      for (const name of node.inputs) this.#taken.add(name);
      for (const name of node.outputs) this.#taken.add(name);
      for (const body of subgraphs(node)) this.#collect(body);
    }
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** `wanted`, or `wanted_1`, `wanted_2`, … : the first that is free. The name is taken from then on. */
  fresh(wanted: string): string {
    let name = wanted;
    let n = this.#next.get(wanted) ?? 1;
    for (; this.#taken.has(name); n++) name = `${wanted}_${n}`;
    this.#next.set(wanted, n);
    this.#taken.add(name);
    return name;
  }
}
