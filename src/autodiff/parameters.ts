/**
 * @file Which initializers are weights that one would train: a float constant may as well be a mask, a
 * running statistic, a table of sines or the 1e-5 of a normalization.
 */
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Model, Node, Tensor } from "../onnx/model.ts";
import { readAll } from "../onnx/tensor-data.ts";

/** Inputs by op type that hold weights whatever their size: products, convolutions, recurrences, tables, scales and biases. */
const WEIGHT_INPUTS: ReadonlyMap<string, readonly number[]> = new Map(
  Object.entries({
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
  }),
);

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
  const readers = new Readers(model);
  const parameters: string[] = [];
  for (const [name, tensor] of model.graph.initializers) {
    if (tensor.dataType === DataType.float32 && (await readers.readAsWeight(tensor, name))) {
      parameters.push(name);
    }
  }
  return parameters;
}

/** Who reads each value of a graph, and which values follow from initializers alone. */
class Readers {
  readonly #uses = new Map<string, { node: Node; input: number }[]>();
  readonly #producers = new Map<string, Node>();
  readonly #constant: Set<string>;
  readonly #inputs: ReadonlySet<string>;

  constructor({ graph }: Model) {
    this.#inputs = new Set(graph.inputs.map(({ name }) => name));
    this.#constant = new Set(graph.initializers.keys());
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.#producers.set(output, node);
      node.inputs.forEach((name, input) => {
        const known = this.#uses.get(name);
        if (known) known.push({ node, input });
        else this.#uses.set(name, [{ node, input }]);
      });
      if (this.#readsConstants(node)) for (const output of node.outputs) this.#constant.add(output);
    }
  }

  #readsConstants(node: Node): boolean {
    return node.inputs.every((name) => name === "" || this.#constant.has(name));
  }

  /** Follows the initializer through nodes that read constants alone, to where it meets the model's data. */
  async readAsWeight(tensor: Tensor, initializer: string): Promise<boolean> {
    const seen = new Set([initializer]);
    for (const name of seen) {
      const isDirect = name === initializer;
      if (!isDirect && elementCount(tensor.dims) === 1) return false;
      for (const { node, input } of this.#uses.get(name) ?? []) {
        if (holdsWeight(node, input, tensor)) return true;
        if (!this.#readsConstants(node)) {
          if (await this.#isOperand(node, name, tensor, isDirect)) return true;
        } else if (node.opType !== "QuantizeLinear" || input === 0) {
          for (const output of node.outputs) seen.add(output);
        }
      }
    }
    return false;
  }

  async #isOperand(node: Node, name: string, tensor: Tensor, isDirect: boolean): Promise<boolean> {
    if (!OPERANDS.has(node.opType)) return false;
    const others = node.inputs.filter((other) => other !== name);
    if (others.some((other) => this.#inputs.has(other))) return false;
    // The bias of a layer with one unit; other constants of one element are arithmetic.
    const isUnit = isDirect && others.some((other) => isProduct(this.#producers.get(other)));
    return await isOperandWeight(tensor, node.opType, isUnit);
  }
}

/** A Gather from a vector picks sizes and the like. */
function holdsWeight({ opType }: Node, input: number, { dims }: Tensor): boolean {
  if (opType === "Gather" && dims.length < 2) return false;
  return WEIGHT_INPUTS.get(opType)?.includes(input) ?? false;
}

const isProduct = (node: Node | undefined): boolean => node?.opType === "MatMul";

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
