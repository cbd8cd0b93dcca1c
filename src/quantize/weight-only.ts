/**
 * @file Weight-only quantization: weights become small, activations and arithmetic stay float.
 */
import { opsetVersion } from "../graph/build.ts";
import { emptyReport, type PassReport } from "../graph/report.ts";
import { Names, Scope } from "../graph/scope.ts";
import { selectNodes } from "../graph/selection.ts";
import type { Arena } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model, Node } from "../onnx/model.ts";
import { findWeights, nodeLabel, type Weight, type WeightUse } from "../graph/weights.ts";
import { channelAxis } from "./weight-only/channels.ts";
import { GraphEdits } from "./weight-only/graph-edits.ts";
import { type WeightOnlyOptions, weightOnlySettings } from "./weight-only/options.ts";
import type { Pass } from "./weight-only/pass.ts";
import { quantizeChannels } from "./weight-only/per-channel.ts";

export type { WeightOnlyOptions } from "./weight-only/options.ts";

/** The first opset whose DequantizeLinear has an axis. */
const LEAST_OPSET = 13;

/**
 * Quantizes the float weights of a model, which it changes.
 * Weights are found in initializers and Constant nodes of all graphs. What does not shrink, holds NaN or
 * Inf, or is read by a node that must not change, stays float and is listed with the reason.
 * @throws RangeError for options outside their range, and for a model below opset 13 (lift it first)
 * @throws UnknownNameError when an option names nodes or op types that the model does not have
 */
export async function quantizeWeightOnly(
  model: Model,
  options: WeightOnlyOptions,
  arena: Arena,
): Promise<PassReport> {
  const settings = weightOnlySettings(options);
  const opset = opsetVersion(model) ?? 0;
  if (opset < LEAST_OPSET) {
    throw new RangeError(
      `quantize: weight_only needs opset ${LEAST_OPSET}, the model imports ${opset || "no ai.onnx"}`,
    );
  }
  const selected = selectNodes(model, {
    include: options.nodes_to_quantize,
    exclude: options.nodes_to_exclude,
    opTypes: options.op_types_to_quantize,
  });
  const pass: Pass = {
    model,
    opset,
    settings,
    names: new Names(model),
    edits: new GraphEdits(model.graph),
    arena,
    report: emptyReport(),
  };
  const root = Scope.of(model.graph);
  for (const weight of findWeights(root, { dataTypes: [DataType.float32, DataType.float16] })) {
    const reason = await quantizeWeight(pass, weight, selected);
    if (reason) pass.report.kept.push({ name: weight.name, reason });
  }
  pass.edits.apply();
  return pass.report;
}

/** @returns why the weight stays float, or `undefined` when it was quantized */
async function quantizeWeight(
  pass: Pass,
  weight: Weight,
  selected: (node: Node) => boolean,
): Promise<string | undefined> {
  const rank = weight.tensor.dims.length;
  const isWeightOf = ({ node, input }: WeightUse): boolean =>
    channelAxis(node, input, rank) !== undefined;
  const readers = weight.uses.filter(isWeightOf);
  const barred = readers.find((use) => !selected(use.node));
  const [first] = readers;
  if (!first) {
    const other = weight.uses[0];
    return other ? `${nodeLabel(other.node)} does not read it as a weight` : "nothing reads it";
  }
  if (barred) return `${nodeLabel(barred.node)} is not to be quantized`;
  return await quantizeChannels(pass, weight, first);
}
