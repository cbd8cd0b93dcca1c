/** @file Nodes that compute the same of the same become one. */
import { subgraphs } from "../../graph/attributes.ts";
import { encodeAttribute } from "../../onnx/encode-graph.ts";
import type { Attribute, Graph, Node } from "../../onnx/model.ts";
import { MemorySink } from "../../onnx/source.ts";
import { isDeterministic } from "../determinism.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** Attributes of more bytes (tables of tree ensembles, tensors) are not compared. */
const MAX_ATTRIBUTE_BYTES = 4096;

/** What an outer graph has computed before is the same in a subgraph; what a subgraph computes stays in it. */
export const mergeCommonSubexpressions: Pass = async ({ model }) => {
  const wiring = new Wiring(model);
  let count = 0;
  await visit(model.graph, []);
  wiring.commit();
  return count;

  /** @param outer what each of the graphs around has computed so far, by key */
  async function visit(graph: Graph, outer: readonly ReadonlyMap<string, Node>[]): Promise<void> {
    const own = new Map<string, Node>();
    const seen = [own, ...outer];
    for (const node of graph.nodes) {
      for (const body of subgraphs(node)) await visit(body, seen);
      const key = await keyOf(node, wiring);
      if (key === undefined) continue;
      const first = seen.find((each) => each.has(key))?.get(key);
      if (first && merge(node, first, wiring)) count++;
      else own.set(key, node);
    }
  }
};

function merge(node: Node, first: Node, wiring: Wiring): boolean {
  const pairs = node.outputs.flatMap((from, i) => {
    const to = first.outputs[i];
    return from && wiring.isRead(from) ? [{ from, to: to ?? "" }] : [];
  });
  if (!pairs.every(({ from, to }) => to && wiring.canSubstitute(from, to))) return false;
  for (const { from, to } of pairs) wiring.substitute(from, to);
  wiring.remove(node);
  return true;
}

/** Equal for nodes that compute the same; `undefined` for those that are not compared. */
async function keyOf(node: Node, wiring: Wiring): Promise<string | undefined> {
  if (!wiring.isStandard(node) || node.inputs.length === 0 || !isDeterministic(node)) {
    return undefined;
  }
  const attributes: string[] = [];
  for (const attribute of node.attributes) {
    const key = await attributeKey(attribute);
    if (key === undefined) return undefined;
    attributes.push(key);
  }
  return JSON.stringify([node.opType, node.inputs, attributes.toSorted()]);
}

async function attributeKey(attribute: Attribute): Promise<string | undefined> {
  if (attribute.type === "graph" || attribute.type === "graphs") return undefined;
  const message = encodeAttribute(attribute, () => undefined);
  if (message.byteLength > MAX_ATTRIBUTE_BYTES) return undefined;
  const sink = new MemorySink(message.byteLength);
  await message.write(sink);
  return String.fromCharCode(...sink.bytes);
}
