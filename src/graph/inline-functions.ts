/** @file Replacing calls of a model's own functions by their bodies. */
import { subgraphs } from "./attributes.ts";
import { importOpset } from "./build.ts";
import { cloneNode } from "./clone.ts";
import { Names } from "./scope.ts";
import { DEFAULT_LIMITS } from "../onnx/limits.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { Attribute, FunctionDefinition, Graph, Model, Node } from "../onnx/model.ts";

/** Calls within calls; a function that calls itself has no end. */
const MAX_DEPTH = 64;
/** Nodes of all calls together: functions that call each other twice double with each level. */
const MAX_NODES = DEFAULT_LIMITS.maxNodes;

/**
 * Inlines all functions, in subgraphs too, in place; the model has none afterwards.
 * @throws OnnxError `invalid_model` when functions call each other in a circle, `limit_exceeded` past the nodes that a model may have
 */
export function inlineFunctions(model: Model): void {
  if (model.functions.length === 0) return;
  new Inlining(model).graph(model.graph, 0);
  model.functions = [];
}

const keyOf = (domain: string, name: string, overload: string): string =>
  `${domain}\n${name}\n${overload}`;

class Inlining {
  readonly #model: Model;
  readonly #names: Names;
  readonly #functions: ReadonlyMap<string, FunctionDefinition>;
  #count = 0;

  constructor(model: Model) {
    this.#model = model;
    this.#names = new Names(model);
    this.#functions = new Map(
      model.functions.map((definition) => [
        keyOf(definition.domain, definition.name, definition.overload),
        definition,
      ]),
    );
  }

  graph(graph: Graph, depth: number): void {
    graph.nodes = graph.nodes.flatMap((node) => this.#node(node, depth));
  }

  #node(node: Node, depth: number): Node[] {
    const definition = this.#functions.get(keyOf(node.domain, node.opType, node.overload));
    if (!definition) {
      for (const body of subgraphs(node)) this.graph(body, depth);
      return [node];
    }
    if (depth >= MAX_DEPTH) {
      throw new OnnxError("invalid_model", `function ${definition.name} calls itself`);
    }
    return this.#body(definition, node).flatMap((part) => this.#node(part, depth + 1));
  }

  #body(definition: FunctionDefinition, call: Node): Node[] {
    this.#count += definition.nodes.length;
    if (this.#count > MAX_NODES) {
      throw new OnnxError(
        "limit_exceeded",
        `the model's functions expand to over ${MAX_NODES} nodes`,
      );
    }
    for (const { domain, version } of definition.opsetImports) {
      importOpset(this.#model, domain, version);
    }
    const rename = new Map<string, string>();
    definition.inputs.forEach((name, i) => rename.set(name, call.inputs[i] ?? ""));
    definition.outputs.forEach((name, i) => {
      const output = call.outputs[i];
      if (output && !rename.has(name)) rename.set(name, output);
    });
    const nodes = definition.nodes.map((node) =>
      this.#renamed(withAttributes(cloneNode(node), definition, call), rename, call.name),
    );
    // A function may hand an input out as it is.
    definition.outputs.forEach((name, i) => {
      const output = call.outputs[i];
      const value = rename.get(name);
      if (output && value !== undefined && value !== output) nodes.push(identity(value, output));
    });
    return nodes;
  }

  #renamed(node: Node, rename: Map<string, string>, prefix: string): Node {
    const renamed = (name: string): string => rename.get(name) ?? name;
    const made = (name: string): string => {
      if (name === "") return name;
      const known = rename.get(name);
      if (known !== undefined) return known;
      const fresh = this.#names.fresh(prefix ? `${prefix}/${name}` : name);
      rename.set(name, fresh);
      return fresh;
    };
    node.inputs = node.inputs.map(renamed);
    node.outputs = node.outputs.map(made);
    if (node.name) node.name = prefix ? `${prefix}/${node.name}` : node.name;
    for (const body of subgraphs(node)) this.#renamedGraph(body, new Map(rename), prefix);
    return node;
  }

  /** Names made in a subgraph are made unique too: the function may be called twice. */
  #renamedGraph(graph: Graph, rename: Map<string, string>, prefix: string): void {
    const own = (name: string): string => {
      const fresh = this.#names.fresh(prefix ? `${prefix}/${name}` : name);
      rename.set(name, fresh);
      return fresh;
    };
    graph.inputs = graph.inputs.map((info) => ({ ...info, name: own(info.name) }));
    graph.initializers = new Map(
      [...graph.initializers].map(([name, tensor]) => {
        const fresh = own(name);
        return [fresh, { ...tensor, name: fresh }];
      }),
    );
    graph.nodes = graph.nodes.map((node) => this.#renamed(node, rename, prefix));
    graph.outputs = graph.outputs.map((info) => ({
      ...info,
      name: rename.get(info.name) ?? info.name,
    }));
    graph.valueInfos = [];
  }
}

/** Attributes that refer to the function's get the call's value or the default; without either they go. */
function withAttributes(node: Node, definition: FunctionDefinition, call: Node): Node {
  node.attributes = node.attributes.flatMap((attribute): Attribute[] => {
    const { refAttrName } = attribute;
    if (!refAttrName) return [attribute];
    const given =
      call.attributes.find(({ name }) => name === refAttrName) ??
      definition.attributeDefaults.find(({ name }) => name === refAttrName);
    return given ? [{ ...given, name: attribute.name }] : [];
  });
  for (const body of subgraphs(node)) {
    for (const inner of body.nodes) withAttributes(inner, definition, call);
  }
  return node;
}

const identity = (value: string, output: string): Node => ({
  opType: "Identity",
  domain: "",
  name: output,
  inputs: [value],
  outputs: [output],
  attributes: [],
  docString: "",
  overload: "",
  metadata: [],
});
