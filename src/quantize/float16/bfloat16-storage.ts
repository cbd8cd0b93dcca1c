/**
 * @file Weights stored as bfloat16, arithmetic in float32.
 *
 * ONNX Runtime 1.30 has a handful of bfloat16 kernels on the CPU and none in its WebAssembly for MatMul,
 * Conv or Gemm, and it does not insert Casts for bfloat16 as it does for float16: a graph of bfloat16
 * activations does not load. So each weight is stored in 16 bits with a Cast to float32 behind it, which
 * ONNX Runtime folds when it loads the model. Inputs and outputs stay float32.
 */
import { makeInt, makeTensorAttribute } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import type { PassReport } from "../../graph/report.ts";
import { Names, type Scope } from "../../graph/scope.ts";
import { findWeights, nodeLabel, type Weight } from "../../graph/weights.ts";
import { DataType, elementCount } from "../../onnx/data-type.ts";
import type { Model, Node, Tensor } from "../../onnx/model.ts";
import type { Account } from "./account.ts";
import type { BlockList } from "./node-precision.ts";

/** Bytes of a Cast node in the file, its three names aside. */
const CAST_BYTES = 40;

/** From this IR version on an initializer need not be an input. */
const MIN_IR_VERSION = 4;

interface ScopeEdits {
  /** Behind the Constant nodes that hold weights. */
  casts: Map<Node, Node>;
  /** In front of all nodes: the Casts of initializers. */
  first: Node[];
  /** By the initializers' old names. */
  stored: Map<string, Tensor>;
}

function noEdits(): ScopeEdits {
  return { casts: new Map(), first: [], stored: new Map() };
}

/** Rewrites the weights that shrink; `blocked` are the nodes whose weights stay float32. */
export function storeBfloat16(
  model: Model,
  root: Scope,
  blocked: BlockList,
  account: Account,
  report: PassReport,
): void {
  const names = new Names(model);
  const edits = new Map<Scope, ScopeEdits>();
  for (const weight of findWeights(root, { minRank: 0 })) {
    const { name, tensor, scope, holder, uses } = weight;
    const reason = keptReason(weight, blocked);
    if (reason !== undefined) {
      report.kept.push({ name, reason });
      continue;
    }
    const stored = names.fresh(`${name}_bfloat16`);
    const half = { ...account.weight(tensor, name, uses[0]?.node), name: stored };
    const attributes = [makeInt("to", DataType.float32)];
    const castName = names.fresh(`${name}_cast`);
    const cast = makeNode("Cast", [stored], [name], { name: castName, attributes });
    const edit = edits.get(scope) ?? noEdits();
    edits.set(scope, edit);
    if (holder) {
      holder.outputs = [stored];
      holder.attributes = [makeTensorAttribute("value", half)];
      edit.casts.set(holder, cast);
    } else {
      edit.first.push(cast);
      edit.stored.set(name, half);
    }
  }
  let removedInputs = 0;
  for (const [{ graph }, { casts, first, stored }] of edits) {
    const nodes = graph.nodes.flatMap((node) => {
      const cast = casts.get(node);
      return cast ? [node, cast] : [node];
    });
    graph.nodes = [...first, ...nodes];
    // Rebuilt, so that the initializers stay in the file's order.
    graph.initializers = new Map(
      [...graph.initializers].map(([name, tensor]) => {
        const half = stored.get(name) ?? tensor;
        return [half.name, half];
      }),
    );
    const inputs = graph.inputs.filter((info) => !stored.has(info.name));
    removedInputs += graph.inputs.length - inputs.length;
    graph.inputs = inputs;
  }
  if (removedInputs > 0) {
    model.irVersion = Math.max(model.irVersion, MIN_IR_VERSION);
    report.notes.push(
      `${removedInputs} weights that were also inputs with a default are no inputs any more`,
    );
  }
}

function keptReason(weight: Weight, blocked: BlockList): string | undefined {
  const { name, tensor, uses, isOutput } = weight;
  if (uses.length === 0) return isOutput ? "it is an output of its graph" : "nothing reads it";
  if (elementCount(tensor.dims) * 2 <= CAST_BYTES + 4 * name.length) {
    return "the Cast to float32 would take more than it saves";
  }
  const free = uses.find(
    ({ node }) => !blocked.nodeNames.has(node.name) && !blocked.opTypes.has(node.opType),
  );
  const [first] = uses;
  return free || !first ? undefined : `only blocked nodes read it: ${nodeLabel(first.node)}`;
}
