/** @file Nodes whose inputs are all constants are computed by ONNX Runtime, and their results take their place. */
import { subgraphs } from "../../graph/attributes.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { computeConstants } from "../compute-constants.ts";
import { isDeterministic } from "../determinism.ts";
import { bytesOf, replaceByResults, worthFolding } from "../folding.ts";
import type { Pass, Subject } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** Most bytes of constants that go into a computation at once, and most that come out of its nodes. */
const MAX_INPUT_BYTES = 8 << 20;
const MAX_RESULT_BYTES = 16 << 20;

/** Dequantized weights would be what quantization saved. ONNX Runtime leaves them in their form too. */
const KEPT = new Set(["Constant", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"]);
/** Their results are no larger than their inputs, so they may be computed without knowing their size. */
const BOUNDED = new Set(["NonZero", "Compress", "Unique"]);

export const foldConstants: Pass = async (subject) => {
  const { model, types, runtime, foldConstantsLimit, unfoldable, notes } = subject;
  const wiring = new Wiring(model);
  const known = constantNodes(subject, wiring);
  const size = (name: string) => bytesOf(types, name);
  const chosen = worthFolding(known, wiring, size, foldConstantsLimit);
  if (chosen.size === 0) return 0;
  if (!runtime) {
    notes.add("constants were not computed: there is no ONNX Runtime");
    return 0;
  }
  const wanted = [...chosen].flatMap(({ outputs }) =>
    outputs.filter((name) => wiring.isRead(name)),
  );
  const results = await computeConstants({
    model,
    nodes: [...known],
    wanted,
    wiring,
    types,
    runtime,
  });
  const computedSize = (name: string) => results.get(name)?.data.byteLength ?? size(name);
  const worth = worthFolding(known, wiring, computedSize, foldConstantsLimit);
  let count = 0;
  for (const { node, graph } of wiring.each()) {
    if (!chosen.has(node)) continue;
    const own = worth.has(node) ? resultsOf(node, results, wiring) : undefined;
    if (!own) {
      unfoldable.add(node);
      continue;
    }
    replaceByResults(node, own, graph, wiring);
    count++;
  }
  wiring.commit();
  return count;
};

function resultsOf(
  node: Node,
  results: ReadonlyMap<string, Tensor>,
  wiring: Wiring,
): Map<string, Tensor> | undefined {
  const own = new Map<string, Tensor>();
  for (const name of node.outputs) {
    if (!name || !wiring.isRead(name)) continue;
    const tensor = results.get(name);
    if (!tensor) return undefined;
    own.set(name, tensor);
  }
  return own;
}

/** Nodes that can be computed, in topological order: as many as go into one computation. */
function constantNodes({ types, unfoldable }: Subject, wiring: Wiring): Set<Node> {
  const nodes = new Set<Node>();
  const inputs = new Set<string>();
  const made = new Set<string>();
  let inputBytes = 0;
  let resultBytes = 0;
  for (const { node } of wiring.each()) {
    if (KEPT.has(node.opType) || unfoldable.has(node) || !isDeterministic(node)) continue;
    if (subgraphs(node).length > 0 || !node.inputs.some(Boolean)) continue;
    let more = 0;
    const isConstant = node.inputs.every((name) => {
      if (!name || made.has(name)) return true;
      const tensor = wiring.constant(name);
      if (tensor && !inputs.has(name)) more += tensor.data.byteLength;
      return tensor !== undefined && !tensor.strings;
    });
    if (!isConstant || inputBytes + more > MAX_INPUT_BYTES) continue;
    let results = 0;
    for (const name of node.outputs) {
      const unknown = BOUNDED.has(node.opType) ? inputBytes + more : Infinity;
      if (name) results += bytesOf(types, name) ?? unknown;
    }
    if (resultBytes + results > MAX_RESULT_BYTES) continue;
    inputBytes += more;
    resultBytes += results;
    nodes.add(node);
    for (const name of node.inputs) if (name && !made.has(name)) inputs.add(name);
    for (const name of node.outputs) if (name) made.add(name);
  }
  return nodes;
}
