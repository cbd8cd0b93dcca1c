/**
 * @file A weight as 8-bit codes with one scale per channel, in standard ONNX ops.
 *
 * x̂ = (q − zeroPoint) · scale, with the codes and scales of onnxruntime's quantizer. Three forms:
 * - DequantizeLinear makes the old name again, so that every reader keeps working;
 * - read through the same Transpose everywhere: the codes are stored transposed, the Transpose goes;
 * - read by Gather alone: the codes are gathered, and only the gathered rows are dequantized.
 *   (ONNX Runtime runs DequantizeLinear of a constant at every call, not at load, and a vocabulary is large.)
 */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import { makeNode, makeTensor } from "../../graph/build.ts";
import { sqnrDb, type WeightChange } from "../../graph/report.ts";
import { DataType, dataTypeName, elementCount } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { affineWeight, type AffineWeight, parameterData } from "../affine-weight.ts";
import { nodeLabel, type Weight } from "../../graph/weights.ts";
import { channelAxis } from "./channels.ts";
import type { WeightReader } from "./readers.ts";
import { bytesSaved, type Pass, type Replacement } from "./pass.ts";

/** Smaller tables are dequantized whole: the extra nodes would outweigh them. */
const LEAST_GATHERED_ELEMENTS = 4096;

/** The first opset whose DequantizeLinear gives float16. */
const FLOAT16_OPSET = 19;

/**
 * Quantizes the weight in place.
 * @param reader decides the channels
 * @returns why it stays float, or `undefined` when it was quantized
 */
export async function quantizeChannels(
  pass: Pass,
  weight: Weight,
  reader: WeightReader,
): Promise<string | undefined> {
  const { tensor } = weight;
  if (tensor.dataType === DataType.float16 && pass.opset < FLOAT16_OPSET) {
    return `float16 weights need opset ${FLOAT16_OPSET}, the model has ${pass.opset}`;
  }
  const axis = pass.settings.perChannel ? reader.axis : undefined;
  const permutation = commonPermutation(weight);
  const valueAxis = axis !== undefined && permutation ? permutation.indexOf(axis) : axis;
  const change: WeightChange = {
    name: weight.name,
    node: nodeLabel(reader.node),
    method: `${pass.settings.type} per ${axis === undefined ? "tensor" : `channel (axis ${axis})`}`,
    dims: [...tensor.dims],
    from: dataTypeName(tensor.dataType),
    to: pass.settings.type,
    bytesBefore: tensor.data.byteLength,
    bytesAfter: 0,
    sqnrDb: null,
  };
  const affine = await affineWeight(
    tensor,
    {
      type: pass.settings.type,
      symmetric: pass.settings.type === "int8",
      reduceRange: false,
      check: pass.check,
      ...(valueAxis !== undefined && { axis: valueAxis }),
      ...(permutation && { permutation }),
      onError: (signal, error) => {
        change.sqnrDb = sqnrDb(signal, error);
      },
    },
    pass.arena,
  );
  if (!affine) return "holds NaN or Inf, or a range that overflows";
  const gathers = axis !== undefined && gathersAlone(weight, axis);
  const stored = storedTensors(pass, weight, affine, gathers ? axis : undefined);
  const form = gathers
    ? gatherForm(pass, weight, stored)
    : dequantizeForm(pass, weight, stored, valueAxis, permutation !== undefined);
  if (bytesSaved(weight, form) <= 0) return "would not shrink";
  form.apply();
  for (const each of form.tensors) {
    weight.scope.graph.initializers.set(each.name, each);
    change.bytesAfter += each.data.byteLength;
  }
  pass.report.changed.push(change);
  return undefined;
}

interface Stored {
  codes: Tensor;
  scale: Tensor;
  /** Only for asymmetric codes. */
  zeroPoint: Tensor | undefined;
}

interface Form extends Replacement {
  /** Edits the graph. */
  apply(): void;
}

/** @param gatheredAxis the scales get the codes' rank, so that they broadcast over the rows */
function storedTensors(
  pass: Pass,
  weight: Weight,
  affine: AffineWeight,
  gatheredAxis: number | undefined,
): Stored {
  const { name, tensor } = weight;
  const { type } = pass.settings;
  const half = tensor.dataType === DataType.float16;
  const perTensor = affine.scale.length === 1 && gatheredAxis === undefined;
  const dims =
    gatheredAxis === undefined
      ? [affine.scale.length]
      : affine.dims.map((dim, axis) => (axis === gatheredAxis ? dim : 1));
  const channels = affine.scale.length;
  const make = (
    suffix: string,
    dataType: DataType,
    width: number,
    values: () => ArrayBufferView,
  ): Tensor =>
    makeTensor(
      pass.names.fresh(name + suffix),
      dataType,
      perTensor ? [] : dims,
      parameterData(affine, channels * width, values),
    );
  const codes = makeTensor(
    pass.names.fresh(`${name}_quantized`),
    DataType[type],
    affine.dims,
    affine.data,
  );
  return {
    codes,
    scale: make("_scale", tensor.dataType, half ? 2 : 4, () =>
      half ? new Float16Array(affine.scale) : affine.scale,
    ),
    // left out, it is 0
    zeroPoint:
      type === "uint8" ? make("_zero_point", DataType.uint8, 1, () => affine.zeroPoint) : undefined,
  };
}

/** The one permutation that all readers see, if there is one and nothing reads the stored order. */
function commonPermutation(weight: Weight): readonly number[] | undefined {
  const [first, ...others] = weight.uses;
  if (!first?.permutation || weight.isOutput) return undefined;
  const order = first.permutation.join();
  return others.every((use) => use.permutation?.join() === order) ? first.permutation : undefined;
}

function gathersAlone(weight: Weight, axis: number): boolean {
  if (weight.isOutput || elementCount(weight.tensor.dims) < LEAST_GATHERED_ELEMENTS) return false;
  return weight.uses.every(
    ({ node, input, permutation }) =>
      node.opType === "Gather" &&
      !permutation &&
      channelAxis(node, input, weight.tensor.dims.length) === axis,
  );
}

/** DequantizeLinear under the old name, or under a new one that replaces the transposed value. */
function dequantizeForm(
  pass: Pass,
  weight: Weight,
  { codes, scale, zeroPoint }: Stored,
  axis: number | undefined,
  transposed: boolean,
): Form {
  const output = transposed ? pass.names.fresh(`${weight.name}_transposed`) : weight.name;
  const node = makeNode(
    "DequantizeLinear",
    [codes.name, scale.name, ...(zeroPoint ? [zeroPoint.name] : [])],
    [output],
    {
      name: pass.names.fresh(`${weight.name}_DequantizeLinear`),
      // 1 is the default
      attributes: axis === undefined || axis === 1 ? [] : [makeInt("axis", axis)],
    },
  );
  return {
    tensors: zeroPoint ? [codes, scale, zeroPoint] : [codes, scale],
    nodes: [node],
    apply() {
      pass.edits.produce(weight, [node]);
      if (!transposed) return;
      for (const use of weight.uses) use.node.inputs[use.input] = output;
      pass.edits.dropIfUnused(weight);
    },
  };
}

/** Gather(codes) and Gather(scales), then Cast, Sub and Mul: what DequantizeLinear does, for these rows alone. */
function gatherForm(pass: Pass, weight: Weight, stored: Stored): Form {
  const { codes, scale, zeroPoint } = stored;
  const gathers = new Map(weight.uses.map((use) => [use.node, use]));
  const nodes = new Map<Node, Node[]>();
  for (const { node } of gathers.values()) {
    const list: Node[] = [];
    const label = node.name || (node.outputs[0] ?? weight.name);
    const add = (
      opType: string,
      inputs: string[],
      suffix: string,
      attribute?: [string, number],
    ): string => {
      const name = pass.names.fresh(label + suffix);
      const attributes = attribute ? [makeInt(...attribute)] : [];
      list.push(makeNode(opType, inputs, [`${name}_output`], { name, attributes }));
      return `${name}_output`;
    };
    const gathered = (tensor: Tensor, suffix: string): string =>
      add("Gather", [tensor.name, node.inputs[1] ?? ""], suffix, [
        "axis",
        intAttribute(node, "axis", 0),
      ]);
    const float = (name: string, suffix: string): string =>
      add("Cast", [name], suffix, ["to", weight.tensor.dataType]);
    let value = float(gathered(codes, "_quantized"), "_cast");
    if (zeroPoint) {
      const offset = float(gathered(zeroPoint, "_zero_point"), "_zero_point_cast");
      value = add("Sub", [value, offset], "_sub");
    }
    const scales = gathered(scale, "_scale");
    list.push(makeNode("Mul", [value, scales], [...node.outputs], { name: node.name }));
    nodes.set(node, list);
  }
  return {
    tensors: zeroPoint ? [codes, scale, zeroPoint] : [codes, scale],
    nodes: [...nodes.values()].flat(),
    removed: [...nodes.keys()],
    apply() {
      for (const [node, list] of nodes) {
        const use = gathers.get(node);
        if (use) pass.edits.replace(use.scope.graph, node, list);
      }
      pass.edits.dropIfUnused(weight);
    },
  };
}
