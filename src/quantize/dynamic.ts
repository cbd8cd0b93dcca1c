/**
 * @file Dynamic quantization as onnxruntime 1.30's `quantize_dynamic`: 8-bit weights, activations that are
 * quantized while the model runs, integer products.
 *
 * Weights, scales, zero points and nodes are those of that tool, up to names. Beyond it: weights are found
 * in Constant nodes, behind Identity and Transpose, in subgraphs and outer graphs; what cannot be quantized
 * stays float and is listed. A Gemm that is not quantized stays a Gemm.
 */
import { importOpset, opsetVersion } from "../graph/build.ts";
import { emptyReport, type PassReport } from "../graph/report.ts";
import { Names, Scope, type Use } from "../graph/scope.ts";
import { findWeights, nodeLabel } from "../graph/weights.ts";
import type { Arena } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model, Node } from "../onnx/model.ts";
import { quantizeAttention } from "./dynamic/attention.ts";
import { quantizeConv } from "./dynamic/conv.ts";
import { quantizeEmbedLayerNormalization } from "./dynamic/embed-layer-normalization.ts";
import { quantizeGather, quantizeTranspose } from "./dynamic/gather.ts";
import { GraphRewrite } from "./dynamic/graph-rewrite.ts";
import { quantizeLstm } from "./dynamic/lstm.ts";
import { quantizeGemm, quantizeMatMul } from "./dynamic/matmul.ts";
import type { OpRewrite } from "./dynamic/op-rewrite.ts";
import { type DynamicOptions, dynamicSettings, selectDynamicNodes } from "./dynamic/options.ts";
import { becomesMatMul, type DynamicPass, keepFloat } from "./dynamic/pass.ts";
import { removeUnused } from "./dynamic/unused.ts";
import { WeightStore } from "./dynamic/weight-store.ts";
import type { FiniteCheck } from "./finite.ts";

export type { DynamicOptions } from "./dynamic/options.ts";

/** DynamicQuantizeLinear came with opset 11. */
const MIN_OPSET = 11;

/** Initializers need not be graph inputs from this IR version on. */
const MIN_IR_VERSION = 4;

const REWRITES: Readonly<Record<string, OpRewrite>> = {
  MatMul: quantizeMatMul,
  Gemm: quantizeGemm,
  Conv: quantizeConv,
  Gather: quantizeGather,
  Transpose: quantizeTranspose,
  LSTM: quantizeLstm,
  "com.microsoft.Attention": quantizeAttention,
  "com.microsoft.EmbedLayerNormalization": quantizeEmbedLayerNormalization,
};

/**
 * Quantizes the model in place.
 * @param check when weights with NaN or Inf are found out
 * @throws RangeError when the model imports an opset below 11 (lift it first), or for a wrong weight type
 * @throws UnknownNameError when an option names what the model does not have
 */
export async function quantizeDynamic(
  model: Model,
  options: DynamicOptions,
  arena: Arena,
  check: FiniteCheck = "before",
): Promise<PassReport> {
  const settings = dynamicSettings(options);
  const opset = opsetVersion(model) ?? 0;
  if (opset < MIN_OPSET) {
    throw new RangeError(`quantize: dynamic needs opset ${MIN_OPSET}, the model imports ${opset}`);
  }
  const root = Scope.of(model.graph);
  const selected = selectDynamicNodes(model, root, options);
  const names = new Names(model);
  const report = emptyReport();
  const kept = new Set<string>();
  const pass: DynamicPass = { root, opset, names, arena, settings, check, selected, report, kept };
  const weights = new WeightStore(pass);
  await rewriteGraph(pass, weights, new GraphRewrite(root, undefined, names));
  removeUnused(model.graph, weights.touched);

  const after = [...Scope.of(model.graph).walk()];
  const used = new Set(after.flatMap(({ graph }) => [...graph.initializers.keys()]));
  report.changed.push(...weights.changes(used));
  listFloatWeights(pass, new Set(report.changed.map((change) => change.name)));
  if (report.changed.length > 0) {
    model.irVersion = Math.max(model.irVersion, MIN_IR_VERSION);
    const nodes = after.flatMap(({ graph }) => graph.nodes);
    if (nodes.some((node) => node.domain === "com.microsoft"))
      importOpset(model, "com.microsoft", 1);
  }
  return report;
}

async function rewriteGraph(
  pass: DynamicPass,
  weights: WeightStore,
  graph: GraphRewrite,
): Promise<void> {
  const bodies = new Map<Node, Scope[]>();
  for (const child of graph.scope.children) {
    if (!child.owner) continue;
    bodies.set(child.owner, [...(bodies.get(child.owner) ?? []), child]);
  }
  for (const node of graph.scope.graph.nodes) {
    for (const body of bodies.get(node) ?? []) {
      await rewriteGraph(pass, weights, new GraphRewrite(body, graph, graph.names));
    }
    const rewrite = rewriteOf(node);
    if (rewrite && pass.selected(node) && (await rewrite(pass, weights, graph, node))) continue;
    for (const name of node.inputs) if (name !== "") graph.dequantize(name);
    graph.push(node);
  }
  graph.finish();
}

/** Says of each float matrix that stayed why it did. */
function listFloatWeights(pass: DynamicPass, changed: ReadonlySet<string>): void {
  const dataTypes = [DataType.float32, DataType.float16, DataType.bfloat16, DataType.float64];
  for (const weight of findWeights(pass.root, { dataTypes })) {
    const use = weight.uses[0];
    if (!use || changed.has(weight.name)) continue;
    keepFloat(pass, weight.name, reasonKept(pass, use, weight.tensor.dataType));
  }
}

function reasonKept(pass: DynamicPass, { node, input }: Use, dataType: DataType): string {
  const label = nodeLabel(node);
  if (!rewriteOf(node)) return `${label} has no dynamic form`;
  if (!pass.selected(node)) return `${label} is not selected`;
  if (dataType !== DataType.float32) return `${label} is quantized from float32 only`;
  if (node.opType === "LSTM" && input > 2) return `${label} reads it as a bias or a state`;
  if (node.opType === "Gemm" && !becomesMatMul(pass, node)) {
    return `${label} has an alpha, beta or transA that MatMul does not`;
  }
  return `${label} cannot use it as a quantized weight`;
}

function rewriteOf(node: Node): OpRewrite | undefined {
  const key = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
  return Object.hasOwn(REWRITES, key) ? REWRITES[key] : undefined;
}
