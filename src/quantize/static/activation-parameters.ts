/** @file Scale and zero point of each activation from its range. */
import type { Node } from "../../onnx/model.ts";
import { type AffineParameters, affineParameters, codeRange } from "../affine.ts";
import type { Selection, StaticSettings } from "./options.ts";
import type { QdqGraph } from "./qdq-graph.ts";

/** Both float32 numbers. */
export interface ActivationRange {
  low: number;
  high: number;
}

/** What calibration found, by value name. */
export interface ActivationRanges {
  ranges: ReadonlyMap<string, ActivationRange>;
  /** Why a value has no range: it was NaN or Inf, or not computed. */
  unusable: ReadonlyMap<string, string>;
}

/**
 * The ranges as they are quantized: what goes into a Relu or Clip alone has the range of what comes out, and a
 * Softmax's is known.
 */
export function adjustedRanges(
  { ranges }: ActivationRanges,
  nodes: readonly Node[],
  graph: QdqGraph,
  { selected }: Selection,
): Map<string, ActivationRange> {
  const adjusted = new Map(ranges);
  for (const node of nodes) {
    if (!selected(node)) continue;
    const [input = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const after = adjusted.get(output);
    if (node.opType === "Softmax" && after) adjusted.set(output, { low: 0, high: 1 });
    if (node.opType !== "Relu" && node.opType !== "Clip") continue;
    if (after && adjusted.has(input) && graph.hasOneReader(input)) adjusted.set(input, after);
  }
  return adjusted;
}

/** Ranges without a finite scale have no entry. */
export function activationParameters(
  ranges: ReadonlyMap<string, ActivationRange>,
  { activationType, activationSymmetric }: StaticSettings,
): Map<string, AffineParameters> {
  const codes = codeRange(activationType, activationSymmetric, false);
  const found = new Map<string, AffineParameters>();
  for (const [name, { low, high }] of ranges) {
    const parameters = affineParameters(low, high, codes, activationSymmetric);
    if (parameters) found.set(name, parameters);
  }
  return found;
}
