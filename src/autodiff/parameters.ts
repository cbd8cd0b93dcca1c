/**
 * @file Which initializers are weights that one would train: a float constant may as well be a mask, a
 * running statistic, a table of sines or the 1e-5 of a normalization.
 */
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Model, Node, Tensor } from "../onnx/model.ts";
import { readAll } from "../onnx/tensor-data.ts";

/** Inputs by op type that hold weights whatever their size: products, convolutions, recurrences, tables, scales and biases. */
const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  DeformConv: [1, 3],
  Einsum: [0, 1, 2, 3],
  GRU: [1, 2, 3],
  Gather: [0],
  Gemm: [0, 1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LSTM: [1, 2, 3, 7],
  LayerNormalization: [1, 2],
  MatMul: [0, 1],
  PRelu: [1],
  RMSNormalization: [1],
  RNN: [1, 2, 3],
  SimplifiedLayerNormalization: [1],
};

/** Element-wise ops whose constant operand may be a bias, a scale or a table of positions. */
const OPERANDS: ReadonlySet<string> = new Set(["Add", "Div", "Mul", "Sub", "Sum"]);

/** Values below this are the −∞ of an attention mask. */
const MASK_BOUND = -1e4;

/**
 * The names of a normalised model's trainable initializers, in the model's order: float32, and read (as they
 * are, or through nodes that read constants alone) where ops keep weights.
 *
 * An operand of Add, Mul, … counts unless it has one element, is applied to an input of the model (a mean or a
 * scale of preprocessing), holds the large negative values of a mask, or is a table by which something is
 * multiplied (rotary embeddings).
 */
export async function defaultParameters(model: Model): Promise<string[]> {
  const { graph } = model;
  const readers = new Map<string, { node: Node; input: number }[]>();
  const producers = new Map<string, Node>();
  const constant = new Set(graph.initializers.keys());
  for (const node of graph.nodes) {
    for (const output of node.outputs) producers.set(output, node);
    node.inputs.forEach((name, input) => {
      const known = readers.get(name);
      if (known) known.push({ node, input });
      else readers.set(name, [{ node, input }]);
    });
    if (node.inputs.every((name) => name === "" || constant.has(name))) {
      for (const output of node.outputs) constant.add(output);
    }
  }
  const inputs = new Set(graph.inputs.map(({ name }) => name));

  /** A value that stands for the initializer, at the nodes that also read something else. */
  const isWeight = async (tensor: Tensor, name: string, seen: Set<string>): Promise<boolean> => {
    for (const { node, input } of readers.get(name) ?? []) {
      const holds = WEIGHT_INPUTS[node.opType]?.includes(input);
      if (holds && !(node.opType === "Gather" && isTiny(tensor))) return true;
      if (node.inputs.every((other) => other === "" || constant.has(other))) {
        if (node.opType === "QuantizeLinear" && input > 0) continue;
        for (const output of node.outputs) {
          if (seen.has(output)) continue;
          if (await isWeight(tensor, output, seen.add(output))) return true;
        }
      } else if (OPERANDS.has(node.opType)) {
        const others = node.inputs.filter((other) => other !== name);
        if (others.some((other) => inputs.has(other))) continue;
        // The bias of a layer with one unit; other constants of one element are arithmetic.
        const isUnit =
          name === tensor.name && others.some((other) => isProduct(producers.get(other)));
        if (await isOperandWeight(tensor, node.opType, isUnit)) return true;
      }
    }
    return false;
  };

  const parameters: string[] = [];
  for (const [name, tensor] of graph.initializers) {
    if (tensor.dataType === DataType.float32 && (await isWeight(tensor, name, new Set()))) {
      parameters.push(name);
    }
  }
  return parameters;
}

const isProduct = (node: Node | undefined): boolean => node?.opType === "MatMul";

const isTiny = ({ dims }: Tensor): boolean => dims.length < 2;

async function isOperandWeight(tensor: Tensor, opType: string, isUnit: boolean): Promise<boolean> {
  const { dims } = tensor;
  if (elementCount(dims) <= 1) return dims.length === 1 && isUnit;
  const isTable = dims.filter((size) => size > 1).length > 1;
  if (isTable && (opType === "Mul" || opType === "Div")) return false;
  return !isTable || !(await isMask(tensor));
}

async function isMask(tensor: Tensor): Promise<boolean> {
  const bytes = await readAll(tensor.data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 4) {
    if (view.getFloat32(at, true) < MASK_BOUND) return true;
  }
  return false;
}
