/** @file Nodes, initializers and functions that no output needs. */
import { subgraphs } from "../../graph/attributes.ts";
import type { Model, Node } from "../../onnx/model.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

export const eliminateUnused: Pass = ({ model }) => {
  const wiring = new Wiring(model);
  let count = 0;
  for (const graph of [...wiring.graphs].toReversed()) {
    for (const node of graph.nodes.toReversed()) if (wiring.sweep(node)) count++;
  }
  wiring.commit();
  for (const graph of wiring.graphs) {
    const inputs = new Set(graph.inputs.map(({ name }) => name));
    for (const name of graph.initializers.keys()) {
      if (wiring.isRead(name)) continue;
      if (inputs.has(name) && (graph !== model.graph || !wiring.constant(name))) continue;
      graph.initializers.delete(name);
      // Only where inputs with a value cannot be fed: then it was no input in truth.
      graph.inputs = graph.inputs.filter((input) => input.name !== name);
      count++;
    }
    const before = graph.sparseInitializers.length;
    graph.sparseInitializers = graph.sparseInitializers.filter(({ values }) =>
      wiring.isRead(values.name),
    );
    count += before - graph.sparseInitializers.length;
  }
  return count + dropFunctions(model);
};

function dropFunctions(model: Model): number {
  const before = model.functions.length;
  if (before === 0) return 0;
  const called = new Set<string>();
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const key = `${node.domain}\n${node.opType}`;
      if (!called.has(key)) {
        called.add(key);
        for (const each of model.functions) {
          if (`${each.domain}\n${each.name}` === key) visit(each.nodes);
        }
      }
      for (const body of subgraphs(node)) visit(body.nodes);
    }
  };
  visit(model.graph.nodes);
  model.functions = model.functions.filter(({ domain, name }) => called.has(`${domain}\n${name}`));
  return before - model.functions.length;
}
