/**
 * @file The straight-through gradient of QuantizeLinear → DequantizeLinear, for quantization-aware training:
 * the gradient passes where the value is in the range of the quantized type (Jacob et al. 2018), as in torch.fake_quantize.
 *
 * Between the two ops the walk carries the gradient of the float value under the name of the codes.
 */
import { intAttribute } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import { DataType, dataTypeName } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { and, castLike, div, greaterOrEqual, lessOrEqual, sub, where } from "../arithmetic.ts";
import type { Emitter, GradientContext, GradientRule, RuleTable } from "../rule.ts";

const RANGES = new Map<number, readonly [number, number]>([
  [DataType.int8, [-128, 127]],
  [DataType.uint8, [0, 255]],
  [DataType.int16, [-32768, 32767]],
  [DataType.uint16, [0, 65535]],
  [DataType.int4, [-8, 7]],
  [DataType.uint4, [0, 15]],
]);

const quantize: GradientRule = (c, node, [g = ""]) => {
  const [x = "", scale = "", zeroPoint] = node.inputs;
  refuseScale(c, scale);
  const codeType = c.elementType(node.outputs[0] ?? "") ?? DataType.uint8;
  const range = RANGES.get(codeType);
  if (!range) throw c.refusal(`codes of ${dataTypeName(codeType)} have no gradient`);
  const [low, high] = range;
  const rounded = c.emit("Round", [div(c, x, alongAxis(c, node, scale))]);
  // Of the unclipped codes minus the zero point, so that the bounds are computed and not the codes.
  const bound = (limit: number): string | number =>
    zeroPoint ? sub(c, limit, alongAxis(c, node, castLike(c, zeroPoint, x))) : limit;
  const isInside = and(
    c,
    greaterOrEqual(c, rounded, bound(low)),
    lessOrEqual(c, rounded, bound(high)),
  );
  return [where(c, isInside, g, 0)];
};

const dequantize: GradientRule = (c, node, [g = ""]) => {
  refuseScale(c, node.inputs[1] ?? "");
  return [g];
};

function refuseScale(c: GradientContext, scale: string): void {
  if (c.needsGradient(scale)) throw c.refusal("its scale has no gradient");
}

/** A scale or zero point per channel, as it broadcasts over x. */
function alongAxis(c: Emitter, node: Node, vector: string): string {
  const dims = c.dims(vector);
  if (dims.length === 0) return vector;
  const rank = c.dims(node.inputs[0] ?? "").length;
  if (dims.length !== 1 || intAttribute(node, "block_size", 0) !== 0) {
    throw c.refusal("scales per block have no gradient rule");
  }
  if (dims[0] === 1) return vector;
  const axis = frontAxis(intAttribute(node, "axis", 1), rank);
  const shape = Array<number | string | undefined>(rank).fill(1);
  shape[axis] = dims[0];
  return c.reshape(vector, shape);
}

export const QUANTIZATION: RuleTable = { QuantizeLinear: quantize, DequantizeLinear: dequantize };
