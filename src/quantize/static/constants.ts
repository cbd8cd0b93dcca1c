/** @file The constants that are quantized: weights, and what operators add or multiply; codes are computed as they are written. */
import { sqnrDb, type WeightChange } from "../../graph/report.ts";
import { nodeLabel } from "../../graph/weights.ts";
import { dataTypeName, elementCount } from "../../onnx/data-type.ts";
import { readAll } from "../../onnx/tensor-data.ts";
import type { Tensor } from "../../onnx/model.ts";
import { type AffineOptions, type AffineWeight, affineWeight } from "../affine-weight.ts";
import type { BiasMark } from "./marks.ts";
import { floatInitializer, keepFloat, type StaticPass } from "./pass.ts";

export interface QuantizedConstant {
  weight: AffineWeight;
  type: AffineOptions["type"];
  axis: number | undefined;
  change: WeightChange;
}

/** Codes, scales and zero points of all constants that are marked; those that hold NaN or Inf stay float. */
export async function quantizeConstants(pass: StaticPass): Promise<Map<string, QuantizedConstant>> {
  const found = new Map<string, QuantizedConstant>();
  for (const [name, mark] of pass.marks.tensors) {
    const tensor = floatInitializer(pass, name);
    if (!tensor) continue;
    const constant = await quantizeConstant(pass, name, tensor, mark.kind, mark.axis);
    if (constant) found.set(name, constant);
    else keepFloat(pass, name, "holds NaN or Inf, or its range overflows the float type");
  }
  for (const [name, bias] of pass.marks.biases) await makeRoomForBias(pass, name, bias, found);
  return found;
}

async function quantizeConstant(
  pass: StaticPass,
  name: string,
  tensor: Tensor,
  kind: "activation" | "weight",
  axis: number | undefined,
): Promise<QuantizedConstant | undefined> {
  const { settings } = pass;
  const isWeight = kind === "weight";
  const type = isWeight ? settings.weightType : settings.activationType;
  const ofKind = isWeight ? settings.weightSymmetric : settings.activationSymmetric;
  const count = elementCount(tensor.dims);
  const channels = axis === undefined ? 1 : (tensor.dims[axis] ?? 1);
  const reader = pass.graph.reader(name);
  const change: WeightChange = {
    name,
    node: reader ? nodeLabel(reader) : "",
    method: axis === undefined ? `${type} per tensor` : `${type} per channel (axis ${axis})`,
    dims: [...tensor.dims],
    from: dataTypeName(tensor.dataType),
    to: type,
    bytesBefore: count * 4,
    bytesAfter: count + channels * 5,
    sqnrDb: null,
  };
  const options: AffineOptions = {
    type,
    // One zero point for all channels, which is what integer products want.
    symmetric: axis !== undefined || ofKind,
    reduceRange: settings.reduceRange,
    onError: (signal, error) => (change.sqnrDb = sqnrDb(signal, error)),
  };
  if (axis !== undefined) options.axis = axis;
  const weight = await affineWeight(tensor, options, pass.arena);
  return weight && { weight, type, axis, change };
}

/** Codes of a bias are int32, and lie between the least and the largest but one. */
const BIAS_CODES = 2 * (2 ** 31 - 1);
/** Room for rounding. */
const MARGIN = 1.0001;

/**
 * Raises the scales of a weight where those of the bias, input × weight, would be so small that its codes pass
 * int32: after onnxruntime's `_adjust_weight_scale_for_int32_bias`. The codes are computed later, with these scales.
 */
async function makeRoomForBias(
  pass: StaticPass,
  name: string,
  { input, weight: weightName }: BiasMark,
  constants: ReadonlyMap<string, QuantizedConstant>,
): Promise<void> {
  const constant = constants.get(weightName);
  const inputScale = pass.marks.tensors.has(input) && pass.parameters.get(input)?.scale;
  if (!constant || !inputScale || constant.type !== "int8") return;
  const { scale, zeroPoint } = constant.weight;
  if (zeroPoint.some((zero) => zero !== 0)) return;
  const bias = await biasValues(pass, name);
  const perChannel = constant.axis !== undefined;
  if (perChannel && bias.length < scale.length) return;
  const least = perChannel
    ? // In float32 up to the division, as NumPy computes it for single numbers.
      (channel: number) =>
        Math.fround(Math.fround(MARGIN) * Math.fround(2 * Math.abs(bias[channel] ?? 0))) /
        BIAS_CODES
    : () => (MARGIN * (2 * bias.reduce((most, x) => Math.max(most, Math.abs(x)), 0))) / BIAS_CODES;
  for (const [channel, before] of scale.entries()) {
    const wanted = least(channel);
    const product = inputScale * before;
    if (product > 0 && product < wanted) scale[channel] = before * (wanted / product);
  }
}

export async function biasValues({ graph }: StaticPass, name: string): Promise<Float32Array> {
  const tensor = graph.graph.initializers.get(name);
  if (!tensor) return new Float32Array(0);
  // A copy of its own: the bytes may be a view that is not aligned.
  return new Float32Array(new Uint8Array(await readAll(tensor.data)).buffer);
}
