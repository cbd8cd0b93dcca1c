/**
 * @file Weight-only quantization: weights become small, activations and arithmetic stay float.
 */
import { opsetVersion } from "../graph/build.ts";
import { emptyReport, type PassReport } from "../graph/report.ts";
import { Names, Scope } from "../graph/scope.ts";
import { selectNodes } from "../graph/selection.ts";
import { findWeights, nodeLabel, type Weight } from "../graph/weights.ts";
import { type Arena, ArenaFullError } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model, Node } from "../onnx/model.ts";
import type { FiniteCheck } from "./finite.ts";
import { KeptParameters } from "./weight-only/block-data.ts";
import { quantizeBlocks } from "./weight-only/blocks.ts";
import { GraphEdits } from "./weight-only/graph-edits.ts";
import { type WeightOnlyOptions, weightOnlySettings } from "./weight-only/options.ts";
import type { Pass } from "./weight-only/pass.ts";
import { quantizeChannels } from "./weight-only/per-channel.ts";
import { quantizeBlocksQdq, requireBlockOpset } from "./weight-only/qdq-blocks.ts";
import { weightReaders } from "./weight-only/readers.ts";

export type { WeightOnlyOptions } from "./weight-only/options.ts";

/** The first opset whose DequantizeLinear has an axis. */
const LEAST_OPSET = 13;

/**
 * Quantizes the float weights of a model, which it changes.
 *
 * 8 bits per channel for every kind of weight; or blocks for MatMul, Gemm and Gather, the rest at 8 bits
 * per channel. Weights are found in initializers and Constant nodes of all graphs. What does not shrink, holds
 * NaN or Inf, or is read by a node that must not change, stays float and is listed with the reason.
 * Results in blocks use com.microsoft ops (QOperator) or need opset 21 (QDQ; 25 for 2 bits).
 * @param check when weights with NaN or Inf are found out
 * @throws RangeError for options outside their range, and for a model below opset 13 (lift it first)
 * @throws UnknownNameError when an option names nodes or op types that the model does not have
 */
export async function quantizeWeightOnly(
  model: Model,
  options: WeightOnlyOptions,
  arena: Arena,
  check: FiniteCheck = "before",
): Promise<PassReport> {
  const settings = weightOnlySettings(options);
  const opset = opsetVersion(model) ?? 0;
  if (opset < LEAST_OPSET) {
    throw new RangeError(
      `quantize: weight_only needs opset ${LEAST_OPSET}, the model imports ${opset || "no ai.onnx"}`,
    );
  }
  if (settings.blocks) requireBlockOpset(opset, settings.blocks);
  const selected = selectNodes(model, {
    include: options.nodes_to_quantize,
    exclude: options.nodes_to_exclude,
    opTypes: options.op_types_to_quantize,
  });
  const names = new Names(model);
  const edits = new GraphEdits(model.graph);
  const pass: Pass = {
    model,
    opset,
    settings,
    names,
    edits,
    arena,
    check,
    kept: new KeptParameters(),
    report: emptyReport(),
  };
  const root = Scope.of(model.graph);
  const fallbacks = new Map<string, number>();
  for (const weight of findWeights(root, { dataTypes: [DataType.float32, DataType.float16] })) {
    const reason = await quantizeWeight(pass, weight, selected, fallbacks).catch(tooWide);
    if (reason) pass.report.kept.push({ name: weight.name, reason });
  }
  edits.apply();
  for (const [reason, count] of fallbacks) {
    pass.report.notes.push(
      `${count} ${count === 1 ? "weight is" : "weights are"} not in blocks: ${reason}`,
    );
  }
  return pass.report;
}

function tooWide(error: unknown): string {
  if (error instanceof ArenaFullError) return "it has more channels than the scratch memory takes";
  throw error;
}

/**
 * @param fallbacks counts why weights went to 8 bits per channel where blocks were asked for
 * @returns why the weight stays float, or `undefined` when it was quantized
 */
async function quantizeWeight(
  pass: Pass,
  weight: Weight,
  selected: (node: Node) => boolean,
  fallbacks: Map<string, number>,
): Promise<string | undefined> {
  const readers = weightReaders(weight);
  const [first] = readers;
  if (!first) {
    const other = weight.uses[0];
    return other ? `${nodeLabel(other.node)} does not read it as a weight` : "nothing reads it";
  }
  const barred = readers.find((reader) => !selected(reader.node));
  if (barred) return `${nodeLabel(barred.node)} is not to be quantized`;
  const { blocks } = pass.settings;
  let unfit: string | undefined;
  if (blocks) {
    const quantize = blocks.format === "QDQ" ? quantizeBlocksQdq : quantizeBlocks;
    const outcome = await quantize(pass, weight, blocks);
    if (outcome === "quantized") return undefined;
    if ("kept" in outcome) return outcome.kept;
    ({ unfit } = outcome);
  }
  const kept = await quantizeChannels(pass, weight, first);
  if (unfit && !kept) fallbacks.set(unfit, (fallbacks.get(unfit) ?? 0) + 1);
  return kept;
}
