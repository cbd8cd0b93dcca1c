/** @file What the parts of static quantization share while a model is being rewritten. */
import type { Inferred } from "../../graph/infer.ts";
import type { PassReport } from "../../graph/report.ts";
import type { Scope } from "../../graph/scope.ts";
import type { Arena } from "../../kernels/arena.ts";
import { DataType, dataTypeName, elementCount } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import type { AffineParameters } from "../affine.ts";
import type { ActivationRanges } from "./activation-parameters.ts";
import type { Marks } from "./marks.ts";
import type { StaticSettings } from "./options.ts";
import type { QdqGraph } from "./qdq-graph.ts";

export interface StaticPass {
  readonly opset: number;
  readonly graph: QdqGraph;
  /** Of the model before the pass; types only. */
  readonly scope: Scope;
  readonly inferred: Inferred;
  readonly arena: Arena;
  readonly settings: StaticSettings;
  readonly selected: (node: Node) => boolean;
  readonly ranges: ActivationRanges;
  /** Scale and zero point of every activation that has a range. */
  readonly parameters: ReadonlyMap<string, AffineParameters>;
  readonly marks: Marks;
  readonly report: PassReport;
  /** Names in `report.kept`. */
  readonly kept: Set<string>;
}

/** Notes once that a value stays float. */
export function keepFloat(pass: StaticPass, name: string, reason: string): void {
  if (pass.kept.has(name)) return;
  pass.kept.add(name);
  pass.report.kept.push({ name, reason });
}

export function initializer({ graph }: StaticPass, name: string): Tensor | undefined {
  return graph.graph.initializers.get(name);
}

/** The initializer, if it holds float32 numbers. */
export function floatInitializer(pass: StaticPass, name: string): Tensor | undefined {
  const tensor = initializer(pass, name);
  const isFloat = tensor?.dataType === DataType.float32 && elementCount(tensor.dims) > 0;
  return isFloat ? tensor : undefined;
}

/** Whether a value can be quantized; where a float cannot, the report says why. */
export function isQuantizable(pass: StaticPass, name: string): boolean {
  if (name === "") return false;
  const tensor = initializer(pass, name);
  const type = tensor?.dataType ?? pass.inferred.elementType(pass.scope, name);
  if (type !== DataType.float32) {
    const isFloat = type === DataType.float16 || type === DataType.bfloat16;
    if (isFloat) keepFloat(pass, name, `it is ${dataTypeName(type)}: only float32 is quantized`);
    return false;
  }
  if (tensor) return elementCount(tensor.dims) > 0;
  if (pass.parameters.has(name)) return true;
  keepFloat(pass, name, pass.ranges.unusable.get(name) ?? "calibration found no range for it");
  return false;
}

export function markActivation(pass: StaticPass, name: string): void {
  if (isQuantizable(pass, name)) pass.marks.add(name, "activation");
}

export function markWeight(pass: StaticPass, name: string): void {
  if (isQuantizable(pass, name)) pass.marks.add(name, "weight");
}

/** Marks a constant's channels where the settings ask for them and the axis is there, else the whole. */
export function markWeightByChannel(pass: StaticPass, name: string, axis: number): void {
  const tensor = floatInitializer(pass, name);
  if (tensor && pass.settings.perChannel && axis < tensor.dims.length) {
    pass.marks.addPerChannel(name, axis);
  } else markWeight(pass, name);
}

export function markAs(pass: StaticPass, name: string, provider: string): void {
  if (isQuantizable(pass, name)) pass.marks.addShared(name, provider);
}

/**
 * Marks a bias, which takes the product's scale. A bias of two nodes is copied for the second, whose scale is another.
 */
export function markBias(pass: StaticPass, node: Node, index: number, beta = 1): void {
  const { graph, marks } = pass;
  const name = node.inputs[index] ?? "";
  const tensor = floatInitializer(pass, name);
  if (!tensor) return;
  let own = name;
  if (marks.biases.has(name)) {
    own = graph.names.fresh(name);
    graph.graph.initializers.set(own, { ...tensor, name: own });
    graph.redirectOf(node, name, own);
  }
  const [input = "", weight = ""] = node.inputs;
  marks.biases.set(own, { node, input, weight, beta });
}
