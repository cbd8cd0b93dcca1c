/**
 * @file Element types and shapes of every value of a model, as far as they follow from its inputs
 * and weights.
 *
 * One rule an operator, in the tables of infer-*.ts. Small integer contents are followed too, so that
 * shapes which a graph computes (Shape → Gather → Concat → Reshape) are known.
 */
import type {
  Dimension,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  OpsetImport,
  Tensor,
  ValueInfo,
} from "../onnx/model.ts";
import { attributeValue } from "./attributes.ts";
import { readContents } from "./infer-contents.ts";
import { CONTROL } from "./infer-control.ts";
import { MACHINE_LEARNING, MICROSOFT } from "./infer-contrib.ts";
import { ELEMENTWISE } from "./infer-elementwise.ts";
import { LINEAR } from "./infer-linear.ts";
import { INDEXING } from "./infer-indexing.ts";
import { RESHAPING } from "./infer-reshaping.ts";
import {
  type InferRule,
  MAX_FOLLOWED,
  NodeTypes,
  type RuleTable,
  type ValueType,
} from "./infer-rule.ts";
import { asDimension } from "./infer-shape.ts";
import { SOURCE } from "./infer-source.ts";
import { SPATIAL } from "./infer-spatial.ts";
import type { Scope } from "./scope.ts";

/** Rules by domain and op type. */
const RULES: Readonly<Record<string, RuleTable>> = {
  "": { ...ELEMENTWISE, ...INDEXING, ...RESHAPING, ...SPATIAL, ...LINEAR, ...SOURCE, ...CONTROL },
  "com.microsoft": MICROSOFT,
  "ai.onnx.ml": MACHINE_LEARNING,
};

/** Nodes that may be visited again (bodies of loops, calls of functions) before bodies are skipped. */
const MAX_REVISITS = 200_000;

/** What is known of each value of a model. */
export class Inferred {
  readonly #values: ReadonlyMap<Graph, ReadonlyMap<string, ValueType>>;

  constructor(values: ReadonlyMap<Graph, ReadonlyMap<string, ValueType>>) {
    this.#values = values;
  }

  #find(scope: Scope, name: string): ValueType | undefined {
    for (let from: Scope | undefined = scope; from; from = from.parent) {
      const found = this.#values.get(from.graph)?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** The `DataType` code, or `undefined` when it is not known or the value is no tensor. */
  elementType(scope: Scope, name: string): number | undefined {
    return this.#find(scope, name)?.elementType;
  }

  /** Sizes, symbols and unknown dimensions, or `undefined` when not even the rank is known. */
  shape(scope: Scope, name: string): Dimension[] | undefined {
    return this.#find(scope, name)?.shape;
  }

  /** The contents of a small scalar or vector that does not depend on the inputs' values. */
  value(scope: Scope, name: string): Dimension[] | undefined {
    return this.#find(scope, name)?.value;
  }
}

/**
 * Infers the types of every value in the main graph and its subgraphs. Never throws on an odd model:
 * what does not follow is unknown. Where the model declares a type too, the inferred one wins and
 * the declaration fills in what is not known.
 */
export async function inferTypes(model: Model): Promise<Inferred> {
  const contents = await readContents(model);
  const inference = new Inference(model, contents);
  inference.graph(model.graph, undefined, undefined, model.opsetImports);
  return new Inferred(inference.values);
}

/**
 * What follows for the outputs of one node without subgraphs from what is known of its inputs.
 * `version` is that of the node's domain. Never throws; what does not follow is unknown.
 */
export function inferNode(
  node: Node,
  version: number,
  inputs: readonly (ValueType | undefined)[],
): ValueType[] {
  const rule = ruleOf(node);
  if (!rule) return [];
  try {
    return rule(new NodeTypes(node, version, inputs, () => [])).map(tidy);
  } catch {
    return [];
  }
}

/** The values of one graph, and those of the graphs around it. */
interface Environment {
  values: Map<string, ValueType>;
  declared: ReadonlyMap<string, ValueType>;
  parent: Environment | undefined;
  imports: readonly OpsetImport[];
}

function lookUp(environment: Environment, name: string): ValueType | undefined {
  for (let from: Environment | undefined = environment; from; from = from.parent) {
    const found = from.values.get(name);
    if (found) return found;
  }
  return undefined;
}

class Inference {
  readonly values = new Map<Graph, Map<string, ValueType>>();
  readonly #contents: ReadonlyMap<Tensor, number[]>;
  readonly #functions: ReadonlyMap<string, FunctionDefinition>;
  readonly #active = new Set<FunctionDefinition>();
  #visits = 0;

  constructor(model: Model, contents: ReadonlyMap<Tensor, number[]>) {
    this.#contents = contents;
    this.#functions = new Map(
      model.functions.map((definition) => [
        functionKey(definition.domain, definition.name, definition.overload),
        definition,
      ]),
    );
  }

  /** Infers a graph whose inputs have these types (those declared, where there are none) and gives its outputs. */
  graph(
    graph: Graph,
    parent: Environment | undefined,
    inputs: readonly ValueType[] | undefined,
    imports: readonly OpsetImport[],
  ): ValueType[] {
    const isRevisit = this.values.has(graph);
    if (isRevisit && this.#visits > MAX_REVISITS) {
      // What an earlier visit found may not hold for these inputs.
      this.values.set(graph, new Map());
      return [];
    }
    const environment: Environment = {
      values: new Map(),
      declared: declaredTypes([...graph.valueInfos, ...graph.outputs]),
      parent,
      imports,
    };
    this.values.set(graph, environment.values);
    graph.inputs.forEach((info, i) => {
      environment.values.set(info.name, filledIn(inputs?.[i], declaredType(info)));
    });
    for (const [name, tensor] of graph.initializers)
      environment.values.set(name, this.#tensorType(tensor));
    for (const sparse of graph.sparseInitializers) {
      environment.values.set(sparse.values.name, {
        elementType: sparse.values.dataType,
        shape: sparse.dims,
      });
    }
    for (const node of graph.nodes) this.#node(node, environment, isRevisit);
    return graph.outputs.map((info) => lookUp(environment, info.name) ?? {});
  }

  #tensorType(tensor: Tensor): ValueType {
    return { elementType: tensor.dataType, shape: tensor.dims, value: this.#contents.get(tensor) };
  }

  #node(node: Node, environment: Environment, isRevisit: boolean): void {
    if (isRevisit) this.#visits++;
    let outputs: ValueType[] = [];
    try {
      outputs = this.#outputs(node, environment);
    } catch {
      // A node that no rule can make sense of (an axis beyond the rank, an attribute of another type).
    }
    node.outputs.forEach((name, i) => {
      if (name)
        environment.values.set(name, filledIn(tidy(outputs[i]), environment.declared.get(name)));
    });
  }

  #outputs(node: Node, environment: Environment): ValueType[] {
    const inputs = node.inputs.map((name) => (name ? lookUp(environment, name) : undefined));
    const definition = this.#functions.get(functionKey(node.domain, node.opType, node.overload));
    if (definition) return this.#call(definition, inputs);
    if (node.opType === "Constant" && node.domain === "") {
      const tensor = attributeValue(node, "value", "tensor");
      if (tensor) return [this.#tensorType(tensor)];
    }
    const rule = ruleOf(node);
    if (!rule) return [];
    const version = environment.imports.find((entry) => entry.domain === node.domain)?.version ?? 1;
    const inferBody = (body: Graph, given: ValueType[]): ValueType[] =>
      this.graph(body, environment, given, environment.imports);
    return rule(new NodeTypes(node, version, inputs, inferBody));
  }

  /** The outputs of a model-local function, by its body; a function within itself is not followed. */
  #call(definition: FunctionDefinition, inputs: readonly (ValueType | undefined)[]): ValueType[] {
    if (this.#active.has(definition) || this.#visits > MAX_REVISITS) return [];
    const environment: Environment = {
      values: new Map(definition.inputs.map((name, i) => [name, inputs[i] ?? {}])),
      declared: new Map(),
      parent: undefined,
      imports: definition.opsetImports,
    };
    this.#active.add(definition);
    for (const node of definition.nodes) this.#node(node, environment, true);
    this.#active.delete(definition);
    return definition.outputs.map((name) => environment.values.get(name) ?? {});
  }
}

function ruleOf(node: Node): InferRule | undefined {
  const table = Object.hasOwn(RULES, node.domain) ? RULES[node.domain] : undefined;
  return table && Object.hasOwn(table, node.opType) ? table[node.opType] : undefined;
}

const functionKey = (domain: string, name: string, overload: string): string =>
  `${domain}\n${name}\n${overload}`;

function declaredTypes(infos: readonly ValueInfo[]): Map<string, ValueType> {
  return new Map(infos.map((info) => [info.name, declaredType(info)]));
}

function declaredType(info: ValueInfo): ValueType {
  if (info.type?.kind !== "tensor") return {};
  return {
    elementType: info.type.elementType || undefined,
    shape: info.type.shape?.map(asDimension),
  };
}

/** No contents beyond what is followed, no sizes that are none. */
function tidy(type: ValueType | undefined): ValueType {
  if (!type) return {};
  const value = type.value && type.value.length <= MAX_FOLLOWED ? type.value : undefined;
  return { ...type, shape: type.shape?.map(asDimension), value };
}

/** The inferred type; what it leaves open is taken from the declared one where that does not contradict it. */
function filledIn(inferred: ValueType | undefined, declared: ValueType | undefined): ValueType {
  if (!inferred || !declared) return inferred ?? declared ?? {};
  const elementType =
    inferred.elementType ?? (inferred.sequenceOf ? undefined : declared.elementType);
  if (!inferred.shape) return { ...inferred, elementType, shape: declared.shape };
  if (declared.shape?.length !== inferred.shape.length) return { ...inferred, elementType };
  const { shape } = declared;
  return { ...inferred, elementType, shape: inferred.shape.map((dim, axis) => dim ?? shape[axis]) };
}
