/** @file What the op families of dynamic quantization share while a model is being rewritten. */
import { floatAttribute, intAttribute } from "../../graph/attributes.ts";
import { makeTensor } from "../../graph/build.ts";
import type { PassReport } from "../../graph/report.ts";
import type { Names, Scope } from "../../graph/scope.ts";
import type { Arena } from "../../kernels/arena.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { type AffineWeight, parameterData } from "../affine-weight.ts";
import type { FiniteCheck } from "../finite.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import type { DynamicSettings } from "./options.ts";
import type { QuantizedValue } from "./quantized-value.ts";

export interface DynamicPass {
  readonly root: Scope;
  readonly opset: number;
  readonly names: Names;
  readonly arena: Arena;
  readonly settings: DynamicSettings;
  readonly check: FiniteCheck;
  readonly selected: (node: Node) => boolean;
  readonly report: PassReport;
  /** Names in `report.kept`. */
  readonly kept: Set<string>;
}

/** Notes once that a weight stays float. */
export function keepFloat(pass: DynamicPass, name: string, reason: string): undefined {
  if (pass.kept.has(name)) return;
  pass.kept.add(name);
  pass.report.kept.push({ name, reason });
}

/** Gemms that are a MatMul and an Add: onnxruntime's quantizer replaces those alone. */
export function becomesMatMul(pass: DynamicPass, node: Node): boolean {
  return (
    node.opType === "Gemm" &&
    node.domain === "" &&
    pass.selected(node) &&
    floatAttribute(node, "alpha", 1) === 1 &&
    floatAttribute(node, "beta", 1) === 1 &&
    intAttribute(node, "transA", 0) === 0
  );
}

/** Stores codes, scale and zero point in the graph that stores the float weight. */
export function storeWeight(
  home: GraphRewrite,
  value: QuantizedValue,
  weight: AffineWeight,
  scaleDims: number[] = value.axis === undefined ? [] : [weight.scale.length],
): void {
  const { initializers } = home.scope.graph;
  const codeType = value.type === "int8" ? DataType.int8 : DataType.uint8;
  const half = value.floatType === DataType.float16;
  const channels = weight.scale.length;
  const scale = parameterData(weight, channels * (half ? 2 : 4), () =>
    half ? new Float16Array(weight.scale) : weight.scale,
  );
  const zeroPoint = parameterData(weight, channels, () => weight.zeroPoint);
  initializers.set(value.codes, makeTensor(value.codes, codeType, weight.dims, weight.data));
  initializers.set(value.scale, makeTensor(value.scale, value.floatType, scaleDims, scale));
  initializers.set(value.zeroPoint, makeTensor(value.zeroPoint, codeType, scaleDims, zeroPoint));
}
