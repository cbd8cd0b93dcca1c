/**
 * @file BatchNormalization in training mode, in ops that every back end has: the batch's statistics by
 * reductions, the normalization itself by the op's inference mode with those.
 */
import { floatAttribute, intAttribute } from "../graph/attributes.ts";
import type { Model, Node } from "../onnx/model.ts";
import { add, mul, square, sub } from "./arithmetic.ts";
import type { GraphEmitter } from "./emitter.ts";

const isTraining = (node: Node): boolean =>
  node.domain === "" &&
  node.opType === "BatchNormalization" &&
  intAttribute(node, "training_mode", 0) !== 0;

/**
 * Emits the batch's mean and (population) variance before each BatchNormalization in training mode, and the
 * next running statistics as ONNX defines them: running · momentum + batch · (1 − momentum).
 * The node keeps `training_mode` as a mark for its gradient rule until `clearTrainingMode`.
 */
export function computeBatchStatistics(graph: GraphEmitter, model: Model): void {
  model.graph.nodes = model.graph.nodes.flatMap((node) => {
    if (!isTraining(node)) return [node];
    const next = replaceStatistics(graph, node);
    const before = graph.nodes;
    graph.nodes = [];
    return [...before, node, ...next];
  });
}

/** Leaves the nodes before in `graph.nodes`; gives those that compute the next running statistics. */
function replaceStatistics(graph: GraphEmitter, node: Node): Node[] {
  graph.node = node;
  const [x = "", scale = "", bias = "", runningMean = "", runningVariance = ""] = node.inputs;
  const rank = graph.dims(x).length;
  const axes = [...Array(rank).keys()].filter((axis) => axis !== 1);
  const kept = graph.reduce("ReduceMean", x, axes, true);
  const size = graph.dims(scale)[0];
  const mean = graph.reshape(kept, [size]);
  const variance = graph.reduce("ReduceMean", square(graph, sub(graph, x, kept)), axes, false);
  const before = graph.nodes;
  graph.nodes = [];

  const momentum = floatAttribute(node, "momentum", 0.9);
  const [, ...outputs] = node.outputs;
  const pairs: [string, string][] = [
    [runningMean, mean],
    [runningVariance, variance],
  ];
  pairs.forEach(([running, batch], i) => {
    const output = outputs[i];
    if (!output) return;
    add(graph, mul(graph, running, momentum), mul(graph, batch, 1 - momentum));
    const last = graph.nodes.at(-1);
    if (last) last.outputs = [output];
    graph.setType(output, graph.type(running));
  });
  const next = graph.nodes;
  graph.nodes = before;
  node.inputs = [x, scale, bias, mean, variance];
  node.outputs = node.outputs.slice(0, 1);
  return next;
}

export function clearTrainingMode(model: Model): void {
  for (const node of model.graph.nodes) {
    if (!isTraining(node)) continue;
    node.attributes = node.attributes.filter(({ name }) => name !== "training_mode");
  }
}
