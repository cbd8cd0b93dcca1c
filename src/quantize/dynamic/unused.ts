/** @file Removing what nothing reads any more: initializers, and nodes between them and their former readers. */
import { Scope } from "../../graph/scope.ts";
import type { Graph, Node } from "../../onnx/model.ts";

/**
 * Removes those of the `candidates` whose outputs nothing reads, then all initializers without a reader
 * (with the graph input of the same name, which models of IR 3 have) and infos about values that are gone.
 */
export function removeUnused(root: Graph, candidates: Iterable<Node>): void {
  const tree = Scope.of(root);
  const scopes = [...tree.walk()];
  const wanted = new Set(candidates);
  const dead = new Set<Node>();
  const homes = new Map<Node, Scope>();
  for (const scope of scopes) {
    for (const node of scope.graph.nodes) if (wanted.has(node)) homes.set(node, scope);
  }
  const unread = (scope: Scope, name: string): boolean =>
    !scope.isOutput(name) && scope.uses(name).every(({ node }) => dead.has(node));
  const pending = [...homes];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [node, scope] = next;
    if (dead.has(node) || !node.outputs.every((name) => unread(scope, name))) continue;
    dead.add(node);
    for (const name of node.inputs) {
      const producer = scope.producer(name);
      const home = producer && homes.get(producer);
      if (producer && home) pending.push([producer, home]);
    }
  }
  for (const scope of scopes) {
    const { graph } = scope;
    const gone = new Set([...graph.initializers.keys()].filter((name) => unread(scope, name)));
    for (const name of gone) graph.initializers.delete(name);
    graph.inputs = graph.inputs.filter((info) => !gone.has(info.name));
    for (const node of graph.nodes)
      if (dead.has(node)) for (const name of node.outputs) gone.add(name);
    graph.nodes = graph.nodes.filter((node) => !dead.has(node));
    graph.valueInfos = graph.valueInfos.filter(
      (info) => !gone.has(info.name) && scope.defines(info.name),
    );
  }
}
