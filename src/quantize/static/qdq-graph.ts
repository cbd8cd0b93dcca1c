/**
 * @file The main graph while QuantizeLinear and DequantizeLinear are put in: who makes and who reads each name, kept
 * as names change, so that a change costs as much as it changes.
 */
import { subgraphs } from "../../graph/attributes.ts";
import { Names, Scope } from "../../graph/scope.ts";
import type { Graph, Model, Node } from "../../onnx/model.ts";

export class QdqGraph {
  readonly graph: Graph;
  readonly names: Names;
  readonly #readers = new Map<string, Set<Node>>();
  readonly #producers = new Map<string, Node>();
  readonly #inputs: ReadonlySet<string>;
  readonly #outputs: ReadonlySet<string>;
  /** Names that graphs within this one read, which stay what they are. */
  readonly #nested: ReadonlySet<string>;
  readonly #added: Node[] = [];
  readonly #removed = new Set<Node>();

  constructor(model: Model) {
    this.graph = model.graph;
    this.names = new Names(model);
    const { nodes, inputs, outputs } = this.graph;
    this.#inputs = new Set(inputs.map(({ name }) => name));
    this.#outputs = new Set(outputs.map(({ name }) => name));
    this.#nested = nestedReads(this.graph);
    for (const node of nodes) this.#enter(node);
  }

  #enter(node: Node): void {
    for (const name of node.outputs) if (name !== "") this.#producers.set(name, node);
    for (const name of node.inputs) if (name !== "") this.#readersOf(name).add(node);
  }

  #readersOf(name: string): Set<Node> {
    let readers = this.#readers.get(name);
    if (!readers) this.#readers.set(name, (readers = new Set()));
    return readers;
  }

  isInput(name: string): boolean {
    return this.#inputs.has(name);
  }

  isOutput(name: string): boolean {
    return this.#outputs.has(name);
  }

  /** True where a graph within this one reads the name. */
  isNested(name: string): boolean {
    return this.#nested.has(name);
  }

  producer(name: string): Node | undefined {
    return this.#producers.get(name);
  }

  /** True where one input of one node reads the name, and nothing else does. */
  hasOneReader(name: string): boolean {
    const reader = this.reader(name);
    if (!reader || this.#readers.get(name)?.size !== 1 || this.#nested.has(name)) return false;
    return reader.inputs.filter((each) => each === name).length === 1;
  }

  /** A node that reads the name, for reports. */
  reader(name: string): Node | undefined {
    return this.#readers.get(name)?.values().next().value;
  }

  /** All nodes that read `name` read `other` from now on. */
  redirect(name: string, other: string): void {
    const readers = this.#readers.get(name) ?? [];
    this.#readers.delete(name);
    for (const node of readers) {
      node.inputs = node.inputs.map((each) => (each === name ? other : each));
      this.#readersOf(other).add(node);
    }
  }

  /** One node reads `other` where it read `name`. */
  redirectOf(node: Node, name: string, other: string): void {
    node.inputs = node.inputs.map((each) => (each === name ? other : each));
    this.#readers.get(name)?.delete(node);
    this.#readersOf(other).add(node);
  }

  /** The node that makes `name` makes `other` instead. */
  renameOutput(name: string, other: string): void {
    const node = this.#producers.get(name);
    if (!node) return;
    this.#producers.delete(name);
    node.outputs = node.outputs.map((each) => (each === name ? other : each));
    this.#producers.set(other, node);
  }

  add(node: Node): void {
    this.#added.push(node);
    this.#enter(node);
  }

  /** Takes the node out; its reading no longer counts when the graph is finished. */
  remove(node: Node): void {
    this.#removed.add(node);
  }

  /** Puts the nodes in order: as they were, each new one before the first that reads it. */
  finish(): void {
    const { nodes } = this.graph;
    this.graph.nodes = inOrder(
      [...nodes, ...this.#added].filter((node) => !this.#removed.has(node)),
    );
  }
}

function nestedReads(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const scope of Scope.of(graph).walk()) {
    if (!scope.parent) continue;
    for (const node of scope.graph.nodes) for (const name of node.inputs) names.add(name);
    for (const { name } of scope.graph.outputs) names.add(name);
  }
  return names;
}

/** Depth first from each node to what it needs, with a stack of its own: chains are as long as graphs. */
function inOrder(nodes: readonly Node[]): Node[] {
  const producers = new Map<string, Node>();
  for (const node of nodes) for (const name of node.outputs) if (name) producers.set(name, node);
  const ordered: Node[] = [];
  const begun = new Set<Node>();
  for (const root of nodes) {
    if (begun.has(root)) continue;
    begun.add(root);
    const stack = [{ node: root, needs: needsOf(root) }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const name = top.needs.pop();
      if (name === undefined) {
        ordered.push(top.node);
        stack.pop();
        continue;
      }
      const maker = producers.get(name);
      if (!maker || begun.has(maker)) continue;
      begun.add(maker);
      stack.push({ node: maker, needs: needsOf(maker) });
    }
  }
  return ordered;
}

/** What a node reads, in its bodies too. */
function needsOf(node: Node): string[] {
  const needs = node.inputs.filter((name) => name !== "");
  for (const body of subgraphs(node)) {
    for (const inner of body.nodes) needs.push(...needsOf(inner));
    needs.push(...body.outputs.map(({ name }) => name));
  }
  return needs.reverse();
}
