/**
 * @file Which of the nodes with known results are replaced by them, so that no model grows: a result may take as many
 * bytes as the nodes and initializers that go with it, and a limit that the caller gives.
 */
import { makeNode } from "../graph/build.ts";
import { makeTensorAttribute } from "../graph/attributes.ts";
import { elementCount, isDataType, rawByteLength } from "../onnx/data-type.ts";
import { encodeNode, encodeTensor } from "../onnx/encode-graph.ts";
import type { Graph, Node, Tensor } from "../onnx/model.ts";
import type { ValueTypes } from "./value-types.ts";
import type { Wiring } from "./wiring.ts";

/** Of a tensor beside its data and name: tags, lengths, type, dims. */
const TENSOR_BYTES = 12;
/** Tag and length of a message in the graph. */
const MESSAGE_BYTES = 2;

/**
 * @param known nodes whose results are known, in topological order
 * @param resultBytes of a name, or `undefined` where only computing tells
 * @returns those to replace: what others read of them pays. The rest goes with them, or stays.
 */
export function worthFolding(
  known: Iterable<Node>,
  wiring: Wiring,
  resultBytes: (name: string) => number | undefined,
  limit: number,
): Set<Node> {
  const left = new Set(known);
  const chosen = new Set<Node>();
  for (const node of [...left].toReversed()) {
    const results = node.outputs.filter((name) => isReadBeyond(name, left, wiring));
    if (results.length === 0) continue;
    const cost = results.reduce((sum, name) => sum + resultCost(name, resultBytes(name)), 0);
    if (replacedBytes(node, left, wiring, cost - limit) >= cost - limit) chosen.add(node);
    else left.delete(node);
  }
  return chosen;
}

function isReadBeyond(name: string, nodes: ReadonlySet<Node>, wiring: Wiring): boolean {
  if (!name) return false;
  if (wiring.isOutput(name)) return true;
  for (const reader of wiring.readers(name)) if (!nodes.has(reader)) return true;
  return false;
}

function resultCost(name: string, bytes: number | undefined): number {
  return bytes === undefined ? 0 : bytes + name.length + TENSOR_BYTES;
}

/** Bytes of the node and of all that is there for it alone; counted no further than to what is needed. */
function replacedBytes(
  node: Node,
  known: ReadonlySet<Node>,
  wiring: Wiring,
  needed: number,
): number {
  const gone = new Set<Node>([node]);
  const pending = [node];
  const seen = new Set<string>();
  let bytes = 0;
  const isGone = (name: string): boolean => !isReadBeyond(name, gone, wiring);
  for (let at = pending.pop(); at && bytes < needed; at = pending.pop()) {
    bytes += MESSAGE_BYTES + encodeNode(at, nowhere).byteLength;
    for (const name of at.inputs) {
      if (!name || seen.has(name) || !isGone(name)) continue;
      seen.add(name);
      const producer = wiring.producer(name);
      if (producer && known.has(producer) && !gone.has(producer)) {
        if (!producer.outputs.every((output) => !output || isGone(output))) continue;
        gone.add(producer);
        pending.push(producer);
      }
      const tensor = producer ? undefined : wiring.constant(name);
      if (tensor) bytes += MESSAGE_BYTES + encodeTensor(tensor, nowhere).byteLength;
    }
  }
  return bytes;
}

const nowhere = () => undefined;

/** Bytes of a value's elements, as far as its type and shape are known. */
export function bytesOf(types: ValueTypes, name: string): number | undefined {
  const [type = 0, shape] = [types.elementType(name), types.shape(name)];
  if (!isDataType(type) || !shape?.every((dim) => typeof dim === "number")) return undefined;
  return rawByteLength(type, elementCount(shape));
}

/**
 * Puts results in a node's place: initializers, and Constant nodes for what a graph hands out.
 * @param results by the name of the output; those that nothing reads may be missing
 */
export function replaceByResults(
  node: Node,
  results: ReadonlyMap<string, Tensor>,
  graph: Graph,
  wiring: Wiring,
): void {
  const constants: Node[] = [];
  const stored: Tensor[] = [];
  for (const name of node.outputs) {
    const tensor = results.get(name);
    if (!tensor) continue;
    if (!wiring.isOutput(name)) stored.push({ ...tensor, name });
    else {
      const attributes = [makeTensorAttribute("value", { ...tensor, name: "" })];
      constants.push(makeNode("Constant", [], [name], { name: node.name, attributes }));
    }
  }
  wiring.replace(node, constants, graph);
  for (const tensor of stored) wiring.store(graph, tensor);
}
