/** @file From a model with a loss to a model that also gives the loss's gradients: one reverse walk over the nodes. */
import { opsetVersion } from "../graph/build.ts";
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { nodeLabel } from "../graph/weights.ts";
import type { Model, Node, ValueInfo } from "../onnx/model.ts";
import { clearTrainingMode, computeBatchStatistics } from "./batch-statistics.ts";
import { type BranchGradient, branchGradients, isIf } from "./branches.ts";
import { type Composite, findComposites } from "./composites.ts";
import { expandNodes } from "./expand.ts";
import { GradientGraph, isFloatType, isSingle } from "./gradient-graph.ts";
import { reachedFrom, reaching } from "./paths.ts";
import type { Target } from "./rule.ts";
import { gradientRule } from "./rules.ts";

export interface DifferentiateOptions {
  /** A float value of one element, by name; it becomes an output if it is none. */
  loss: string;
  /** Initializers or inputs, float32 or float64, of known shape. */
  parameters: readonly string[];
  /** Where the result will run. Default `wasm`. */
  target?: Target;
}

export interface Differentiated {
  /**
   * The model with each parameter as an input (no longer an initializer) and each gradient as a further
   * output. Its own outputs stay.
   */
  model: Model;
  /** Output names by parameter, in the order in which the walk completes them: the last layer's first. */
  gradients: Map<string, string>;
}

/**
 * Adds the gradients of `loss` with respect to the parameters, in ops of ai.onnx alone. The model is
 * left as it is; it must be normalised (see normalise.ts).
 *
 * A parameter that the loss does not depend on has a gradient of zeros.
 *
 * @throws RangeError when the loss is no single float, a parameter is none of the model's floats, or an op
 *   between a parameter and the loss has no gradient rule; the message names node and op
 */
export async function differentiate(
  model: Model,
  options: DifferentiateOptions,
): Promise<Differentiated> {
  const { loss, parameters, target = "wasm" } = options;
  checkModel(model);
  const result = cloneModel(model);
  feedParameters(result, parameters);
  const graph = new GradientGraph(result, await inferTypes(result), target);
  for (const name of parameters) {
    if (isFloatType(graph.elementType(name))) continue;
    throw new RangeError(`autodiff: "${name}" is neither float32 nor float64`);
  }

  computeBatchStatistics(graph, result);
  expandNodes(graph, result, parameters, loss);
  const { nodes } = result.graph;
  graph.wanted = reachedFrom(graph, nodes, parameters);
  const isOnPath = reaching(nodes, loss);
  const path = nodes.filter(
    (node) => node.outputs.some((name) => isOnPath.has(name)) && isWanted(graph, node),
  );
  refuseWithoutRule(path);
  checkLoss(graph, loss);
  const branches = await branchGradients(graph, result, path, differentiate);

  const order = new Set<string>();
  const open = new Set(parameters);
  const uses = lastUses(path, open);
  seed(graph, loss);
  const composites = findComposites(graph, result.graph);
  const within = new Set<Node>();
  for (const node of path.toReversed()) {
    const composite = composites.get(node);
    for (const part of composite?.nodes ?? []) within.add(part);
    if (composite) differentiateComposite(graph, node, composite);
    else if (!within.has(node)) differentiateNode(graph, node, branches.get(node));
    for (const name of uses.get(node) ?? []) order.add(name);
  }

  const gradients = nameGradients(graph, new Set([...order, ...parameters]));
  result.graph.nodes = [...nodes, ...graph.nodes];
  clearTrainingMode(result);
  finish(graph, result, loss, gradients);
  return { model: result, gradients };
}

function checkModel(model: Model): void {
  const opset = opsetVersion(model) ?? 0;
  if (opset < 18) throw new RangeError(`autodiff: the model imports opset ${opset}, below 18`);
  if (model.functions.length > 0) {
    throw new RangeError(`autodiff: the model has ${model.functions.length} functions of its own`);
  }
}

/** Makes inputs of initializers, before anything is inferred: what a parameter holds now is no constant. */
function feedParameters({ graph }: Model, parameters: readonly string[]): void {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  for (const name of parameters) {
    const tensor = graph.initializers.get(name);
    graph.initializers.delete(name);
    if (inputs.has(name)) continue;
    if (!tensor) {
      throw new RangeError(`autodiff: "${name}" is no initializer and no input of the model`);
    }
    const shape = [...tensor.dims];
    graph.inputs.push({ name, type: { kind: "tensor", elementType: tensor.dataType, shape } });
  }
}

function checkLoss(graph: GradientGraph, loss: string): void {
  const { elementType, shape } = graph.type(loss);
  if (!isFloatType(elementType)) throw new RangeError(`autodiff: the loss "${loss}" is no float`);
  if (!shape || !isSingle(shape)) {
    const text = shape
      ? `has shape [${shape.map((dim) => dim ?? "?").join(", ")}]`
      : "has no known shape";
    throw new RangeError(`autodiff: the loss "${loss}" ${text}, not one element`);
  }
}

const isWanted = (graph: GradientGraph, node: Node): boolean =>
  node.outputs.some((name) => graph.needsGradient(name));

/** All of them, so that nobody has to try again for the next. */
function refuseWithoutRule(path: readonly Node[]): void {
  const without = path.filter((node) => !gradientRule(node) && !isIf(node));
  const [first] = without;
  if (!first) return;
  const others = [...new Set(without.slice(1).map(nodeLabel))];
  const more = others.length > 0 ? `; nor for ${others.slice(0, 10).join(", ")}` : "";
  throw new RangeError(`autodiff: there is no gradient rule for ${nodeLabel(first)}${more}`);
}

function seed(graph: GradientGraph, loss: string): void {
  const { shape = [], elementType } = graph.type(loss);
  graph.node = { ...EMPTY, inputs: [loss] };
  const ones = graph.floats(
    [1],
    shape.map(() => 1),
  );
  graph.setType(ones, { elementType, shape: shape.map(() => 1) });
  graph.contribute(loss, ones);
}

const EMPTY: Node = {
  opType: "",
  domain: "",
  name: "",
  inputs: [],
  outputs: [],
  attributes: [],
  docString: "",
  overload: "",
  metadata: [],
};

/** After which node, on the way back, a parameter's gradient is complete. */
function lastUses(path: readonly Node[], open: Set<string>): Map<Node, string[]> {
  const uses = new Map<Node, string[]>();
  for (const node of path) {
    const completed = [...new Set(node.inputs)].filter((name) => open.delete(name));
    if (completed.length > 0) uses.set(node, completed);
  }
  return uses;
}

function differentiateNode(graph: GradientGraph, node: Node, branches?: BranchGradient): void {
  const outputGradients = node.outputs.map((name) => (name ? graph.gradient(name) : undefined));
  if (outputGradients.every((name) => name === undefined)) return;
  if (branches) return branches(outputGradients);
  const gradients = graph.at(node, () => gradientRule(node)?.(graph, node, outputGradients)) ?? [];
  node.inputs.forEach((name, i) => {
    const gradient = gradients[i];
    if (gradient !== undefined && graph.needsGradient(name)) graph.contribute(name, gradient);
  });
}

function differentiateComposite(graph: GradientGraph, node: Node, composite: Composite): void {
  const gradient = graph.gradient(node.outputs[0] ?? "");
  if (gradient === undefined) return;
  graph.contribute(
    composite.input,
    graph.at(node, () => composite.gradient(graph, gradient)),
  );
}

/** Gives each gradient its output's name, by renaming where one can, so that no bytes are copied. */
function nameGradients(graph: GradientGraph, parameters: ReadonlySet<string>): Map<string, string> {
  const values = new Map<string, string>();
  for (const name of parameters) {
    graph.node = { ...EMPTY, inputs: [name] };
    values.set(name, graph.gradient(name) ?? graph.zeros(name));
  }
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const renamed = new Map<string, string>();
  const gradients = new Map<string, string>();
  const copies: [string, string][] = [];
  for (const [parameter, value] of values) {
    const output = graph.names.fresh(`${parameter}.gradient`);
    gradients.set(parameter, output);
    if (made.has(value) && !renamed.has(value)) renamed.set(value, output);
    else copies.push([renamed.get(value) ?? value, output]);
  }
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((name) => renamed.get(name) ?? name);
    node.outputs = node.outputs.map((name) => renamed.get(name) ?? name);
  }
  for (const [value, output] of copies) {
    graph.emit("Identity", [value]);
    const node = graph.nodes.at(-1);
    if (node) node.outputs = [output];
  }
  return gradients;
}

function finish(
  graph: GradientGraph,
  model: Model,
  loss: string,
  gradients: ReadonlyMap<string, string>,
): void {
  const { inputs, outputs } = model.graph;
  const info = (name: string, like: string): ValueInfo => {
    const { elementType = 1, shape } = graph.type(like);
    return { name, type: { kind: "tensor", elementType, shape: shape && [...shape] } };
  };
  if (!outputs.some(({ name }) => name === loss)) outputs.push(info(loss, loss));
  for (const [parameter, gradient] of gradients) outputs.push(info(gradient, parameter));
  // In the order of the gradients.
  const places = new Map([...gradients.keys()].map((name, place) => [name, place]));
  inputs.sort((a, b) => (places.get(a.name) ?? -1) - (places.get(b.name) ?? -1));
}
