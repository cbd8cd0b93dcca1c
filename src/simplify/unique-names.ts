/**
 * @file Each name defined once in the whole tree of graphs. ONNX lets sibling subgraphs use the same names for
 * different values; passes that move nodes between graphs could not tell them apart.
 */
import { subgraphs } from "../graph/attributes.ts";
import { Names } from "../graph/scope.ts";
import type { Graph, Model } from "../onnx/model.ts";

/** Renames values of subgraphs, where another graph defines the name. Names of the main graph stay. */
export function makeNamesUnique(model: Model): void {
  const names = new Names(model);
  const defined = new Set<string>();
  visit(model.graph, new Map());

  function visit(graph: Graph, outer: ReadonlyMap<string, string>): void {
    const renamed = new Map(outer);
    const own = new Set<string>();
    const define = (name: string): void => {
      if (name === "" || own.has(name)) return;
      own.add(name);
      if (defined.has(name)) renamed.set(name, names.fresh(name));
      else renamed.delete(name);
      defined.add(name);
    };
    for (const { name } of graph.inputs) define(name);
    for (const name of graph.initializers.keys()) define(name);
    for (const { values } of graph.sparseInitializers) define(values.name);
    for (const node of graph.nodes) node.outputs.forEach(define);
    if (renamed.size > 0) rename(graph, (name) => renamed.get(name) ?? name);
    for (const node of graph.nodes) for (const body of subgraphs(node)) visit(body, renamed);
  }
}

function rename(graph: Graph, nameOf: (name: string) => string): void {
  for (const info of [...graph.inputs, ...graph.outputs, ...graph.valueInfos]) {
    info.name = nameOf(info.name);
  }
  graph.initializers = new Map(
    [...graph.initializers].map(([name, tensor]) => [
      nameOf(name),
      { ...tensor, name: nameOf(name) },
    ]),
  );
  graph.sparseInitializers = graph.sparseInitializers.map((sparse) => ({
    ...sparse,
    values: { ...sparse.values, name: nameOf(sparse.values.name) },
  }));
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map(nameOf);
    node.outputs = node.outputs.map(nameOf);
  }
}
