/**
 * @file The float weights of a model and who reads them, wherever they are kept: initializers and
 * Constant nodes, of the main graph and of subgraphs, read directly or through Identity and Transpose.
 */
import { intsAttribute } from "./attributes.ts";
import { constantTensor } from "./constants.ts";
import type { Scope, Use } from "./scope.ts";
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Node, Tensor } from "../onnx/model.ts";

export interface WeightUse extends Use {
  /** The name the node reads: the stored one, or the output of the last link of its chain. */
  name: string;
  /** The value read has `dims[i] = stored.dims[permutation[i]]`; `undefined`: as stored. */
  permutation: readonly number[] | undefined;
}

export interface Weight {
  /** The name under which the tensor is stored: the initializer's, or the Constant node's output. */
  name: string;
  tensor: Tensor;
  /** The scope whose graph stores it. */
  scope: Scope;
  /** The Constant node that holds it; `undefined` for an initializer. */
  holder: Node | undefined;
  /** Every reader behind the chains, in nested graphs too. */
  uses: WeightUse[];
  /** The Identity and Transpose nodes of the chains, each after the one that it reads. */
  links: { node: Node; scope: Scope }[];
  /** A graph hands the tensor out, as it is or through a chain. */
  isOutput: boolean;
}

export interface WeightFilter {
  /** Default: float32 only. */
  dataTypes?: readonly DataType[];
  /** Fewest dimensions (default 2: biases and scales of normalizations are not weights). */
  minRank?: number;
}

/** All weights of the tree of graphs under `root`, outer graphs first, in the file's order. */
export function findWeights(root: Scope, filter: WeightFilter = {}): Weight[] {
  const dataTypes = filter.dataTypes ?? [DataType.float32];
  const minRank = filter.minRank ?? 2;
  const weights: Weight[] = [];
  const add = (scope: Scope, name: string, tensor: Tensor, holder: Node | undefined): void => {
    if (!dataTypes.includes(tensor.dataType) || tensor.dims.length < minRank) return;
    if (elementCount(tensor.dims) === 0) return;
    const found = readers(scope, name, tensor.dims.length);
    weights.push({ name, tensor, scope, holder, ...found });
  };
  for (const scope of root.walk()) {
    for (const [name, tensor] of scope.graph.initializers) add(scope, name, tensor, undefined);
    for (const node of scope.graph.nodes) {
      const name = node.outputs[0];
      if (node.opType !== "Constant" || node.domain !== "" || !name) continue;
      const tensor = constantTensor(node);
      if (tensor) add(scope, name, tensor, node);
    }
  }
  return weights;
}

/** Follows a stored tensor outwards; a stack, because exporters can write long Identity chains. */
function readers(
  home: Scope,
  stored: string,
  rank: number,
): Pick<Weight, "uses" | "links" | "isOutput"> {
  const uses: WeightUse[] = [];
  const links: Weight["links"] = [];
  let isOutput = false;
  const pending: Omit<WeightUse, "node" | "input">[] = [
    { name: stored, scope: home, permutation: undefined },
  ];
  for (let at = pending.pop(); at; at = pending.pop()) {
    isOutput ||= at.scope.isOutput(at.name);
    for (const use of at.scope.uses(at.name)) {
      const output = isChainLink(use.node) ? use.node.outputs[0] : undefined;
      if (!output) {
        uses.push({ ...use, name: at.name, permutation: at.permutation });
        continue;
      }
      const permutation = permuted(at.permutation, use.node, rank);
      links.push({ node: use.node, scope: use.scope });
      pending.push({ name: output, scope: use.scope, permutation });
    }
  }
  return { uses, links, isOutput };
}

function isChainLink(node: Node): boolean {
  return node.domain === "" && (node.opType === "Identity" || node.opType === "Transpose");
}

function permuted(
  before: readonly number[] | undefined,
  node: Node,
  rank: number,
): readonly number[] | undefined {
  if (node.opType !== "Transpose") return before;
  const own = intsAttribute(node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  // out.dims[i] = in.dims[own[i]] = stored.dims[before[own[i]]]
  const composed = before ? own.map((axis) => before[axis] ?? axis) : own;
  return composed.every((axis, i) => axis === i) ? undefined : composed;
}

/** The dims of the value that a use reads. */
export function valueDims(weight: Weight, use: WeightUse): number[] {
  const { dims } = weight.tensor;
  return use.permutation ? use.permutation.map((axis) => dims[axis] ?? 0) : [...dims];
}

/** The stored tensor's axis behind an axis (≥ 0) of the value that a use reads. */
export function storedAxis(use: WeightUse, axis: number): number {
  return use.permutation?.[axis] ?? axis;
}

/** `MatMul "/encoder/layer.0/MatMul"`, as reports name a node. */
export function nodeLabel(node: Node): string {
  return `${node.opType} "${node.name || (node.outputs[0] ?? "")}"`;
}
