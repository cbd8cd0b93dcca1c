/**
 * @file Who makes and who reads each name, kept up to date while a pass rewires: over the whole tree of graphs,
 * in which each name is defined once (`unique-names.ts`).
 */
import { subgraphs } from "../graph/attributes.ts";
import { Names } from "../graph/scope.ts";
import type { Graph, Model, Node, Tensor } from "../onnx/model.ts";

/** Models of older IR versions have every initializer among their inputs, where it is a constant all the same. */
export const OVERRIDABLE_IR = 4;

export class Wiring {
  readonly model: Model;
  /** Outermost first. */
  readonly graphs = new Set<Graph>();
  readonly #producers = new Map<string, Node>();
  readonly #homes = new Map<string, Graph>();
  /** By name, the nodes that read it and at which of their inputs, so that a node of many inputs costs no more. */
  readonly #readers = new Map<string, Map<Node, number[]>>();
  readonly #inputs = new Set<string>();
  readonly #outputs = new Set<string>();
  readonly #functions: ReadonlySet<string>;
  /** Nodes that go, and what comes in their place. */
  readonly #replaced = new Map<Node, readonly Node[]>();
  #names: Names | undefined;

  constructor(model: Model) {
    this.model = model;
    this.#functions = new Set(model.functions.map(({ domain, name }) => `${domain}:${name}`));
    this.#index(model.graph);
  }

  #index(graph: Graph): void {
    this.graphs.add(graph);
    for (const { name } of graph.inputs) {
      this.#inputs.add(name);
      this.#homes.set(name, graph);
    }
    for (const name of graph.initializers.keys()) this.#homes.set(name, graph);
    for (const { values } of graph.sparseInitializers) this.#homes.set(values.name, graph);
    for (const { name } of graph.outputs) this.#outputs.add(name);
    for (const node of graph.nodes) this.#indexNode(node, graph);
  }

  #indexNode(node: Node, graph: Graph): void {
    node.inputs.forEach((name, index) => this.#read(name, node, [index]));
    for (const name of node.outputs) {
      if (!name) continue;
      this.#producers.set(name, node);
      this.#homes.set(name, graph);
    }
    for (const body of subgraphs(node)) this.#index(body);
  }

  #read(name: string, node: Node, at: readonly number[]): void {
    if (!name) return;
    const readers = this.#readers.get(name) ?? new Map<Node, number[]>();
    this.#readers.set(name, readers);
    const places = readers.get(node);
    if (places) places.push(...at);
    else readers.set(node, [...at]);
  }

  /** Nodes of ai.onnx, of these op types where any are given, in all graphs in their order. */
  *each(...opTypes: string[]): Generator<{ node: Node; graph: Graph }> {
    for (const graph of this.graphs) {
      for (const node of graph.nodes) {
        if (!this.isStandard(node) || this.#replaced.has(node)) continue;
        if (opTypes.length === 0 || opTypes.includes(node.opType)) yield { node, graph };
      }
    }
  }

  /** The node is what the specification of ai.onnx says, and no function of the model's own. */
  isStandard(node: Node): boolean {
    return node.domain === "" && !this.#functions.has(`:${node.opType}`);
  }

  /** The standard node of one of these op types that makes the name. */
  producer(name: string | undefined, ...opTypes: string[]): Node | undefined {
    const node = this.#producers.get(name ?? "");
    if (!node || opTypes.length === 0) return node;
    return this.isStandard(node) && opTypes.includes(node.opType) ? node : undefined;
  }

  /** The graph that defines the name. */
  home(name: string): Graph | undefined {
    return this.#homes.get(name);
  }

  /** Nodes that read the name, in nested graphs too. */
  readers(name: string): MapIterator<Node> {
    return (this.#readers.get(name) ?? NONE).keys();
  }

  readerCount(name: string): number {
    return this.#readers.get(name)?.size ?? 0;
  }

  /** A graph, of whatever depth, hands it out. */
  isOutput(name: string): boolean {
    return this.#outputs.has(name);
  }

  isRead(name: string): boolean {
    return this.isOutput(name) || this.readerCount(name) > 0;
  }

  /** The initializer of that name, unless callers can override it. */
  constant(name: string | undefined): Tensor | undefined {
    if (!name) return undefined;
    const home = this.#homes.get(name);
    const isGiven = this.#inputs.has(name);
    const isFixed = home === this.model.graph && this.model.irVersion < OVERRIDABLE_IR;
    return isGiven && !isFixed ? undefined : home?.initializers.get(name);
  }

  /** `wanted`, or the first of `wanted_1`, `wanted_2`, … that is free. */
  fresh(wanted: string): string {
    this.#names ??= new Names(this.model);
    return this.#names.fresh(wanted);
  }

  store(graph: Graph, tensor: Tensor): void {
    graph.initializers.set(tensor.name, tensor);
    this.#homes.set(tensor.name, graph);
  }

  setInput(node: Node, index: number, name: string): void {
    const before = node.inputs[index];
    while (node.inputs.length < index) node.inputs.push("");
    node.inputs[index] = name;
    if (before) {
      const readers = this.#readers.get(before);
      const places = readers?.get(node)?.filter((place) => place !== index) ?? [];
      if (places.length > 0) readers?.set(node, places);
      else readers?.delete(node);
    }
    this.#read(name, node, [index]);
  }

  /**
   * Whether all readers of `from` could read `to`. A name that a graph hands out stays; then the definition of
   * `to` has to take it.
   */
  canSubstitute(from: string, to: string): boolean {
    if (!this.isOutput(from)) return true;
    return (
      this.#producers.has(to) && !this.isOutput(to) && this.#homes.get(from) === this.#homes.get(to)
    );
  }

  /** What reads `from` reads `to`; the node that made `from` is for the caller to remove. */
  substitute(from: string, to: string): void {
    if (!this.isOutput(from)) return this.#redirect(from, to);
    const producer = this.#producers.get(to);
    if (producer) this.rename(producer, to, from);
  }

  #redirect(from: string, to: string): void {
    const readers = this.#readers.get(from);
    this.#readers.delete(from);
    for (const [node, places] of readers ?? []) {
      for (const index of places) node.inputs[index] = to;
      this.#read(to, node, places);
    }
  }

  /** The node makes `to` where it made `from`. */
  rename(node: Node, from: string, to: string): void {
    const graph = this.#homes.get(from);
    node.outputs = node.outputs.map((name) => (name === from ? to : name));
    this.#producers.delete(from);
    this.#producers.set(to, node);
    if (graph) this.#homes.set(to, graph);
    this.#redirect(from, to);
  }

  /** Takes a node out, and those that made something for it alone. */
  remove(node: Node): void {
    this.replace(node, [], undefined);
  }

  /** Puts nodes into the place of one; they may make what it made. */
  replace(node: Node, nodes: readonly Node[], graph: Graph | undefined): void {
    this.#replaced.set(node, nodes);
    const orphans = new Set<Node>();
    this.#forget(node, orphans);
    if (graph) for (const each of nodes) this.#indexNode(each, graph);
    // A loop, because what is made for nothing can be a chain of all nodes; the set grows while it is walked.
    for (const orphan of orphans) {
      if (!this.#isUnread(orphan)) {
        orphans.delete(orphan);
        continue;
      }
      this.#replaced.set(orphan, []);
      this.#forget(orphan, orphans);
    }
  }

  #isUnread(node: Node): boolean {
    return !this.#replaced.has(node) && !node.outputs.some((name) => name && this.isRead(name));
  }

  #forget(node: Node, orphans: Set<Node>): void {
    for (const name of node.inputs) {
      this.#readers.get(name)?.delete(node);
      const producer = this.#producers.get(name);
      if (producer) orphans.add(producer);
    }
    for (const name of node.outputs) {
      if (this.#producers.get(name) === node) this.#producers.delete(name);
    }
    for (const body of subgraphs(node)) {
      this.graphs.delete(body);
      for (const { name } of body.outputs) this.#outputs.delete(name);
      for (const inner of body.nodes) this.#forget(inner, orphans);
    }
  }

  /** Removes the node if nothing reads it. */
  sweep(node: Node): boolean {
    if (!this.#isUnread(node)) return false;
    this.remove(node);
    return true;
  }

  /** Carries out what was removed and replaced. */
  commit(): void {
    if (this.#replaced.size === 0) return;
    const now = (node: Node): readonly Node[] => this.#replaced.get(node)?.flatMap(now) ?? [node];
    for (const graph of this.graphs) graph.nodes = graph.nodes.flatMap(now);
  }
}

const NONE: ReadonlyMap<Node, number[]> = new Map();
