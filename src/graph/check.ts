/**
 * @file What makes a graph valid: names defined once and before use, opsets and operators that exist.
 *
 * The reader has checked the wire and each tensor's data already. Source: ONNX's IR specification.
 */
import { OnnxError } from "../onnx/errors.ts";
import type { FunctionDefinition, Graph, Model, Node } from "../onnx/model.ts";
import { subgraphs } from "./attributes.ts";
import { nodeProblem } from "./check-node.ts";

/** What is known about operators; `src/opset` has the table. */
export interface OperatorTable {
  maxOpset: number;
  maxIrVersion: number;
  /** A sentence that says why a node's op cannot be, or `undefined` when it can. */
  problem(node: Node, version: number): string | undefined;
}

/**
 * Checks a model's graph, subgraphs and functions.
 * @throws OnnxError `invalid_model` naming the node or value
 */
export function checkModel(model: Model, operators: OperatorTable): void {
  checkVersions(model, operators);
  const imports = new Map(model.opsetImports.map(({ domain, version }) => [domain, version]));
  const functions = functionKeys(model.functions);
  const check: NodeCheck = (node) => checkOperator(node, imports, functions, operators);
  if (model.graph.outputs.length === 0) {
    throw invalid(`graph "${model.graph.name}" has no outputs`);
  }
  checkGraph(model.graph, nothing, check);
  for (const definition of model.functions) checkFunction(definition, model, functions, operators);
  checkRecursion(model.functions);
}

const nothing = () => false;

type NodeCheck = (node: Node) => void;

function functionKeys(definitions: readonly FunctionDefinition[]): ReadonlySet<string> {
  const keys = new Set<string>();
  const overloads = new Set<string>();
  for (const definition of definitions) {
    const { domain, name, overload } = definition;
    if (name === "") throw invalid("a function has no name");
    const full = JSON.stringify([domain, name, overload]);
    if (overloads.has(full)) throw invalid(`function "${domain}:${name}" is defined twice`);
    overloads.add(full);
    keys.add(functionKey(definition));
  }
  return keys;
}

const functionKey = (definition: { domain: string; name: string }) =>
  `${definition.domain}:${definition.name}`;

function checkVersions(model: Model, operators: OperatorTable): void {
  if (model.irVersion < 1) {
    throw invalid(`ir_version is ${model.irVersion === 0 ? "missing" : model.irVersion}`);
  }
  if (model.irVersion > operators.maxIrVersion) {
    throw invalid(
      `IR version ${model.irVersion} is newer than ${operators.maxIrVersion}, the newest there is`,
    );
  }
  // IR versions 1 and 2 had no opset_import: they mean opset 1.
  if (model.opsetImports.length === 0) {
    if (model.irVersion >= 3) throw invalid("the model imports no opset");
    model.opsetImports.push({ domain: "", version: 1 });
  }
  const seen = new Set<string>();
  for (const { domain, version } of model.opsetImports) {
    if (seen.has(domain))
      throw invalid(`the opset of domain "${domain || "ai.onnx"}" is imported twice`);
    seen.add(domain);
    if (version < 1) throw invalid(`opset ${version} of "${domain || "ai.onnx"}" does not exist`);
    if (domain === "" && version > operators.maxOpset) {
      throw invalid(`opset ${version} is newer than ${operators.maxOpset}, the newest there is`);
    }
  }
}

function checkOperator(
  node: Node,
  imports: ReadonlyMap<string, number>,
  functions: ReadonlySet<string>,
  operators: OperatorTable,
): void {
  if (functions.has(functionKey({ domain: node.domain, name: node.opType }))) return;
  const version = imports.get(node.domain);
  const domain = node.domain || "ai.onnx";
  if (version === undefined) {
    throw invalid(
      `${describe(node)} is of domain "${domain}", whose opset the model does not import`,
    );
  }
  const problem =
    operators.problem(node, version) ?? (node.domain === "" ? nodeProblem(node) : undefined);
  if (problem) throw invalid(`${describe(node)}: ${problem}`);
}

/** `visible`: whether an enclosing graph defines the name, which this graph may then read and not define again. */
function checkGraph(graph: Graph, visible: (name: string) => boolean, check: NodeCheck): void {
  const defined = new Set<string>();
  const define = (name: string, what: string) => {
    if (name === "") return;
    if (defined.has(name) || visible(name)) throw invalid(`"${name}" is defined twice (${what})`);
    defined.add(name);
  };
  for (const info of graph.inputs) {
    if (info.name === "") throw invalid(`an input of graph "${graph.name}" has no name`);
    define(info.name, "graph input");
  }
  for (const name of graph.initializers.keys()) {
    // Until IR version 3 every initializer had to be an input as well.
    if (!defined.has(name)) define(name, "initializer");
  }
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  for (const { values } of graph.sparseInitializers) {
    // An input may have its default here, as with dense initializers.
    if (!inputs.delete(values.name)) define(values.name, "sparse initializer");
  }
  const madeLater = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) madeLater.set(name, node);
  const available = (name: string) => defined.has(name) || visible(name);
  for (const node of graph.nodes) {
    check(node);
    for (const name of node.inputs) {
      if (name !== "" && !available(name)) throw undefinedInput(node, name, madeLater.get(name));
    }
    for (const body of subgraphs(node)) checkGraph(body, available, check);
    for (const name of node.outputs) define(name, `output of ${describe(node)}`);
  }
  for (const { name } of graph.outputs) {
    if (!available(name))
      throw invalid(`output "${name}" of graph "${graph.name}" is made by no node`);
  }
}

function undefinedInput(node: Node, name: string, maker: Node | undefined): OnnxError {
  if (!maker) {
    return invalid(
      `${describe(node)} reads "${name}", which is no input, initializer or node's output`,
    );
  }
  const loop = maker === node ? "its own output" : `made later by ${describe(maker)}`;
  return invalid(
    `${describe(node)} reads "${name}", ${loop}: the nodes have a cycle or are not in topological order`,
  );
}

function checkFunction(
  definition: FunctionDefinition,
  model: Model,
  functions: ReadonlySet<string>,
  operators: OperatorTable,
): void {
  const own = definition.opsetImports.length > 0 ? definition.opsetImports : model.opsetImports;
  const imports = new Map(own.map(({ domain, version }) => [domain, version]));
  const body: Graph = {
    name: definition.name,
    docString: "",
    nodes: definition.nodes,
    initializers: new Map(),
    sparseInitializers: [],
    valueInfos: [],
    metadata: [],
    inputs: definition.inputs.map((name) => ({ name, type: undefined })),
    outputs: definition.outputs.map((name) => ({ name, type: undefined })),
  };
  checkGraph(body, nothing, (node) => checkOperator(node, imports, functions, operators));
}

const MAX_CALL_DEPTH = 1024;

/** A function may call others, but not, over any number of calls, itself. */
function checkRecursion(functions: readonly FunctionDefinition[]): void {
  const byKey = new Map(functions.map((definition) => [functionKey(definition), definition]));
  const done = new Set<FunctionDefinition>();
  const open = new Set<FunctionDefinition>();
  const visit = (definition: FunctionDefinition) => {
    if (done.has(definition)) return;
    if (open.size === MAX_CALL_DEPTH) {
      throw new OnnxError(
        "limit_exceeded",
        `functions call one another deeper than ${MAX_CALL_DEPTH}, down to "${definition.name}"`,
      );
    }
    if (open.has(definition)) throw invalid(`function "${definition.name}" calls itself`);
    open.add(definition);
    for (const key of calls(definition.nodes)) {
      const called = byKey.get(key);
      if (called) visit(called);
    }
    open.delete(definition);
    done.add(definition);
  };
  functions.forEach(visit);
}

function* calls(nodes: readonly Node[]): Generator<string> {
  for (const node of nodes) {
    yield functionKey({ domain: node.domain, name: node.opType });
    for (const body of subgraphs(node)) yield* calls(body.nodes);
  }
}

function describe(node: Node): string {
  return `${node.opType} "${node.name || node.outputs[0] || ""}"`;
}

function invalid(message: string): OnnxError {
  return new OnnxError("invalid_model", message);
}
