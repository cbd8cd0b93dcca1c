/**
 * @file Static quantization as onnxruntime 1.30's `quantize_static` in the QDQ format: 8-bit weights and activations,
 * whose ranges were found by running the model; biases in int32.
 *
 * Given the same ranges, codes, scales, zero points and nodes are those of that tool, up to names. Beyond it: weights
 * are found in Constant nodes and behind Transpose and Identity; a value that was NaN or Inf stays float and is listed,
 * with what cannot be quantized without it. The main graph alone is quantized, as there.
 */
import { importOpset, opsetVersion } from "../graph/build.ts";
import { inferTypes } from "../graph/infer.ts";
import { emptyReport, type PassReport } from "../graph/report.ts";
import { Scope } from "../graph/scope.ts";
import { findWeights, nodeLabel } from "../graph/weights.ts";
import type { Arena } from "../kernels/arena.ts";
import { DataType, dataTypeName } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { removeUnused } from "./dynamic/unused.ts";
import {
  activationParameters,
  type ActivationRanges,
  adjustedRanges,
} from "./static/activation-parameters.ts";
import { quantizeBiases } from "./static/biases.ts";
import { quantizeConstants } from "./static/constants.ts";
import { Insertion } from "./static/insert.ts";
import { Marks } from "./static/marks.ts";
import { markNode } from "./static/op-marks.ts";
import { selectStaticNodes, type StaticOptions, staticSettings } from "./static/options.ts";
import { keepFloat, type StaticPass } from "./static/pass.ts";
import { QdqGraph } from "./static/qdq-graph.ts";

export type { ActivationRanges } from "./static/activation-parameters.ts";
export type { StaticOptions } from "./static/options.ts";

/** QuantizeLinear came with opset 10, operators that others lift to with 11; a scale per channel with 13. */
export function staticOpset({ per_channel }: StaticOptions): number {
  return per_channel ? 13 : 11;
}

/**
 * Quantizes the model, which `prepareStatic` has seen, in place.
 * @throws RangeError for options that do not go together, and when the model imports too old an opset (lift it first)
 * @throws UnknownNameError when an option names what the model does not have
 */
export async function quantizeStatic(
  model: Model,
  options: StaticOptions,
  ranges: ActivationRanges,
  arena: Arena,
): Promise<PassReport> {
  const settings = staticSettings(options);
  const opset = opsetVersion(model) ?? 0;
  if (opset < staticOpset(options)) {
    throw new RangeError(
      `quantize: static needs opset ${staticOpset(options)}, the model imports ${opset}`,
    );
  }
  const selection = selectStaticNodes(model, options);
  const graph = new QdqGraph(model);
  const nodes = [...model.graph.nodes];
  const adjusted = adjustedRanges(ranges, nodes, graph, selection);
  const pass: StaticPass = {
    opset,
    graph,
    scope: Scope.of(model.graph),
    inferred: await inferTypes(model),
    arena,
    settings,
    selected: selection.selected,
    ranges: { ranges: adjusted, unusable: ranges.unusable },
    parameters: activationParameters(adjusted, settings),
    marks: new Marks(),
    report: emptyReport(),
    kept: new Set(),
  };
  for (const node of nodes) if (selection.selected(node)) await markNode(pass, node);
  const insertion = new Insertion(pass, await quantizeConstants(pass));
  insertion.run();
  await quantizeBiases(pass, insertion);
  graph.finish();
  removeUnused(model.graph, []);
  listFloatWeights(pass, model);
  if (model.graph.nodes.some(({ domain }) => domain === "com.microsoft")) {
    importOpset(model, "com.microsoft", 1);
  }
  return pass.report;
}

/** Says of each float matrix that stayed why it did. */
function listFloatWeights(pass: StaticPass, model: Model): void {
  const root = Scope.of(model.graph);
  const dataTypes = [DataType.float32, DataType.float16, DataType.bfloat16, DataType.float64];
  for (const { name, tensor, uses } of findWeights(root, { dataTypes })) {
    const [use] = uses;
    if (!use) continue;
    const label = nodeLabel(use.node);
    keepFloat(
      pass,
      name,
      use.scope.parent
        ? `${label} is in a graph within the graph, which static leaves float`
        : tensor.dataType !== DataType.float32
          ? `it is ${dataTypeName(tensor.dataType)}: only float32 is quantized`
          : pass.selected(use.node)
            ? `${label} cannot use it as a quantized weight`
            : `${label} is not selected, or has no static form`,
    );
  }
}
