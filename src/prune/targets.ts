/** @file Which weights of a model are pruned, each once, and which are kept, with the reason. */
import { Scope } from "../graph/scope.ts";
import type { WeightKept } from "../graph/report.ts";
import { requireKnown, selectNodes } from "../graph/selection.ts";
import {
  findWeights,
  nodeLabel,
  storedAxis,
  type Weight,
  type WeightUse,
} from "../graph/weights.ts";
import { DataType, dataTypeName } from "../onnx/data-type.ts";
import type { Model, Node } from "../onnx/model.ts";
import type { PruneAmount, PruneOptions, PruneSettings } from "./options.ts";
import { DEFAULT_OP_TYPES, PRUNABLE_OP_TYPES, weightAxes, type WeightAxes } from "./weight-axes.ts";

export interface Target {
  weight: Weight;
  /** A node that uses it, as reports name nodes. */
  node: string;
  amount: PruneAmount;
  /** Its uses as a weight, at least one. */
  uses: { use: WeightUse; axes: WeightAxes }[];
}

const FLOATS: readonly DataType[] = [DataType.float32, DataType.float16, DataType.bfloat16];

/** Ops that read integer weights: what they hold is quantized, and zero there is the zero point. */
const QUANTIZED_OPS = new Set([
  "DequantizeLinear",
  "ConvInteger",
  "MatMulInteger",
  "QLinearConv",
  "QLinearMatMul",
  "QGemm",
  "DynamicQuantizeMatMul",
  "DynamicQuantizeLSTM",
  "MatMulIntegerToFloat",
  "QAttention",
  "MatMulNBits",
  "MatMulBnb4",
  "GatherBlockQuantized",
]);
const INTEGERS: readonly DataType[] = [
  DataType.uint8,
  DataType.int8,
  DataType.uint16,
  DataType.int16,
  DataType.uint4,
  DataType.int4,
  DataType.uint2,
  DataType.int2,
];

/**
 * The weights to prune, in the file's order (the order in which `global_unstructured` joins them).
 * @throws UnknownNameError for names that the model does not have
 * @throws RangeError for an op type without weights
 */
export function pruneTargets(
  model: Model,
  options: PruneOptions,
  settings: PruneSettings,
): { targets: Target[]; kept: WeightKept[] } {
  const root = Scope.of(model.graph);
  for (const opType of options.op_types ?? []) {
    if (PRUNABLE_OP_TYPES.includes(opType)) continue;
    throw new RangeError(
      `prune: "${opType}" has no weights to prune; op_types can be ${PRUNABLE_OP_TYPES.join(", ")}`,
    );
  }
  // names are checked here; the op types have no effect on which names exist
  selectNodes(model, { opTypes: options.op_types });
  const opTypes = new Set(options.op_types?.length ? options.op_types : DEFAULT_OP_TYPES);
  const named = selectNodes(model, { include: options.nodes_to_prune });
  const included = selectNodes(model, { exclude: options.nodes_to_exclude });
  const weights = findWeights(root, { dataTypes: [...FLOATS, DataType.float64, ...INTEGERS] });
  checkAmountNames(root, weights, settings);

  const targets: Target[] = [];
  const kept: WeightKept[] = [];
  for (const weight of weights) {
    const uses = weight.uses.flatMap((use) => {
      const axes = weightAxes(use.node, use.input, weight.tensor.dims.length);
      return axes && opTypes.has(use.node.opType) && named(use.node) ? [{ use, axes }] : [];
    });
    const reason = whyKept(
      weight,
      uses.map(({ use }) => use.node),
      included,
    );
    if (reason) kept.push({ name: weight.name, reason });
    const first = uses[0];
    if (reason || !first) continue;
    const amount = amountOf(weight, settings);
    if (amount === undefined) continue;
    targets.push({ weight, node: nodeLabel(first.use.node), amount, uses });
  }
  return { targets, kept };
}

/** Why a weight that would be meant stays; `undefined` also for those that are not meant. */
function whyKept(
  { tensor, uses, isOutput }: Weight,
  meant: readonly Node[],
  included: (node: Node) => boolean,
): string | undefined {
  if (INTEGERS.includes(tensor.dataType)) {
    const reader = uses.find(({ node }) => QUANTIZED_OPS.has(node.opType));
    if (reader)
      return `quantized already (${dataTypeName(tensor.dataType)}, ${reader.node.opType})`;
  }
  if (meant.length === 0) return undefined;
  const excluded = uses.find(({ node }) => !included(node));
  if (excluded) {
    const alone = meant.every((node) => !included(node));
    return `${alone ? "" : "shared with "}${nodeLabel(excluded.node)}, which is excluded`;
  }
  if (!FLOATS.includes(tensor.dataType)) {
    return `${dataTypeName(tensor.dataType)} weights are not pruned`;
  }
  if (isOutput) return "an output of the graph, which pruning would change";
  return undefined;
}

function amountOf(weight: Weight, settings: PruneSettings): PruneAmount | undefined {
  const names = [weight.name, ...weight.uses.map(({ node }) => node.name)];
  for (const name of names) {
    const amount = settings.amounts.get(name);
    if (amount !== undefined) return amount;
  }
  return settings.amount;
}

function checkAmountNames(root: Scope, weights: readonly Weight[], settings: PruneSettings): void {
  if (settings.amounts.size === 0) return;
  const known = new Set(weights.map(({ name }) => name));
  for (const scope of root.walk()) for (const { name } of scope.graph.nodes) known.add(name);
  requireKnown("weight or node", [...settings.amounts.keys()], known);
}

/**
 * The stored axis that an axis means in all uses of a weight.
 * @returns a reason when the uses disagree, or the axis does not exist
 */
export function commonAxis(
  target: Target,
  axisOf: (axes: WeightAxes) => number | undefined,
): number | { reason: string } {
  const { dims } = target.weight.tensor;
  const found = new Set<number>();
  for (const { use, axes } of target.uses) {
    const axis = axisOf(axes);
    if (axis === undefined) return { reason: `${use.node.opType} sums over no axis of it` };
    const positive = axis < 0 ? axis + dims.length : axis;
    if (!(positive >= 0 && positive < dims.length)) {
      return { reason: `dim ${axis} is out of range for dims [${dims.join(", ")}]` };
    }
    found.add(storedAxis(use, positive));
  }
  const [axis = 0] = found;
  return found.size > 1 ? { reason: "its uses disagree on the axis" } : axis;
}
