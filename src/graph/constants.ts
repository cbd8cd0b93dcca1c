/**
 * @file Where a value that never changes comes from: an initializer, a Constant node, here or in an
 * enclosing graph, also behind Identity and Transpose nodes.
 */
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Node, Tensor } from "../onnx/model.ts";
import { readAll } from "../onnx/tensor-data.ts";
import { attributeValue, intsAttribute } from "./attributes.ts";
import { makeFloat32, makeTensor } from "./build.ts";
import type { Scope } from "./scope.ts";

export interface ConstantValue {
  /** The stored tensor, before `permutation`. */
  tensor: Tensor;
  /** The scope whose graph stores it. */
  scope: Scope;
  /** The Constant node that holds it; `undefined` for an initializer. */
  holder: Node | undefined;
  /** The name under which the tensor is stored. */
  storedName: string;
  /** The value is the stored tensor transposed by this permutation. */
  permutation: number[] | undefined;
  /** The Identity and Transpose nodes between the stored tensor and the value, from the value inwards. */
  path: Node[];
}

/**
 * Follows a name to the constant behind it.
 * Initializers that are also inputs count as constants, as ONNX Runtime's quantizer treats them.
 */
export function resolveConstant(scope: Scope, name: string): ConstantValue | undefined {
  const path: Node[] = [];
  let current = name;
  let from: Scope | undefined = scope;
  for (;;) {
    from = from?.definingScope(current);
    if (!from) return undefined;
    const producer = from.producer(current);
    const holder = producer?.opType === "Constant" ? producer : undefined;
    const tensor = from.graph.initializers.get(current) ?? (holder && constantTensor(holder));
    if (tensor) {
      const permutation = composedPermutation(path, tensor.dims.length);
      return { tensor, scope: from, holder, storedName: current, permutation, path };
    }
    if (!producer || producer.domain !== "") return undefined;
    const input = producer.inputs[0];
    if (!input || (producer.opType !== "Identity" && producer.opType !== "Transpose")) {
      return undefined;
    }
    path.push(producer);
    current = input;
  }
}

/** One permutation for the Transposes of a path that leads inwards to a tensor of `rank` dimensions. */
function composedPermutation(path: readonly Node[], rank: number): number[] | undefined {
  let permutation: number[] | undefined;
  for (const node of path) {
    if (node.opType !== "Transpose") continue;
    const inner = intsAttribute(node, "perm") ?? [...Array(rank).keys()].reverse();
    // out.dims[i] = mid.dims[outer[i]] = in.dims[inner[outer[i]]]
    permutation = permutation ? permutation.map((axis) => inner[axis] ?? axis) : inner;
  }
  return permutation;
}

/** The tensor of a Constant node, whichever attribute holds it; `undefined` for strings and sparse values. */
export function constantTensor(node: Node): Tensor | undefined {
  const name = node.outputs[0] ?? "";
  const tensor = attributeValue(node, "value", "tensor");
  if (tensor) return tensor.dataType === DataType.string ? undefined : tensor;
  const float = attributeValue(node, "value_float", "float");
  if (float !== undefined) return makeFloat32(name, [float], []);
  const floats = attributeValue(node, "value_floats", "floats");
  if (floats) return makeFloat32(name, floats);
  const int = attributeValue(node, "value_int", "int");
  if (int !== undefined) return integers(name, [], [int]);
  const ints = attributeValue(node, "value_ints", "ints");
  return ints && integers(name, [ints.length], ints);
}

/** Exact, where numbers would round: exporters write INT64_MAX for "to the end". */
function integers(name: string, dims: number[], values: readonly bigint[]): Tensor {
  return makeTensor(name, DataType.int64, dims, new Uint8Array(BigInt64Array.from(values).buffer));
}

/** Most elements that `constantNumbers` reads: shapes, axes and scalars, not weights. */
const MAX_SMALL_CONSTANT = 4096;

/**
 * A small integer or float constant as numbers (int64 beyond 2^53 is rounded), or `undefined` when the
 * name is not a constant, is of another type, or has more than 4096 elements.
 */
export async function constantNumbers(scope: Scope, name: string): Promise<number[] | undefined> {
  const constant = resolveConstant(scope, name);
  if (
    !constant ||
    constant.permutation ||
    elementCount(constant.tensor.dims) > MAX_SMALL_CONSTANT
  ) {
    return undefined;
  }
  return await tensorNumbers(constant.tensor);
}

export async function tensorNumbers(tensor: Tensor): Promise<number[] | undefined> {
  // A copy of its own: the bytes may be a view, of a Buffer too, whose `slice` copies nothing.
  const bytes = new Uint8Array(await readAll(tensor.data));
  switch (tensor.dataType) {
    case DataType.int64:
      return Array.from(new BigInt64Array(bytes.buffer), Number);
    case DataType.uint64:
      return Array.from(new BigUint64Array(bytes.buffer), Number);
    case DataType.int32:
      return Array.from(new Int32Array(bytes.buffer));
    case DataType.float32:
      return Array.from(new Float32Array(bytes.buffer));
    case DataType.float64:
      return Array.from(new Float64Array(bytes.buffer));
    case DataType.float16:
      return Array.from(new Float16Array(bytes.buffer));
    case DataType.uint8:
    case DataType.bool:
      return Array.from(bytes);
    case DataType.int8:
      return Array.from(new Int8Array(bytes.buffer));
    default:
      return undefined;
  }
}
