/** @file The float twin of a quantized model: each quantized weight as the float32 values that its codes stand for. */
import { intAttribute } from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { cloneModel } from "../../../../src/graph/clone.ts";
import { bitsPerElement, DataType, elementCount } from "../../../../src/onnx/data-type.ts";
import type { Graph, Model, Node, Tensor } from "../../../../src/onnx/model.ts";
import { readAll } from "../../../../src/onnx/tensor-data.ts";

const SIGNED = new Set<DataType>([DataType.int8, DataType.int4, DataType.int2]);
const NF4 = [
  -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803,
  0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
];
const FP4 = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];

async function numbers(tensor: Tensor): Promise<number[]> {
  const bytes = (await readAll(tensor.data)).slice();
  if (tensor.dataType === DataType.float32) return Array.from(new Float32Array(bytes.buffer));
  if (tensor.dataType === DataType.float16) return Array.from(new Float16Array(bytes.buffer));
  return codes(
    bytes,
    bitsPerElement(tensor.dataType),
    elementCount(tensor.dims),
    SIGNED.has(tensor.dataType),
  );
}

function codes(bytes: Uint8Array, bits: number, count: number, signed = false): number[] {
  return Array.from({ length: count }, (_, i) => {
    const code = ((bytes[(i * bits) >> 3] ?? 0) >> ((i * bits) & 7)) & ((1 << bits) - 1);
    return signed && code >= 1 << (bits - 1) ? code - (1 << bits) : code;
  });
}

const at = (values: readonly number[], index: number): number => {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} of ${values.length}`);
  return value;
};

/** Replaces each quantized form of the graph (and its subgraphs are left as they are). */
export async function floatTwin(model: Model): Promise<Model> {
  const twin = cloneModel(model);
  twin.graph.nodes = (
    await Promise.all(twin.graph.nodes.map((node) => floatNodes(twin.graph, node)))
  ).flat();
  return twin;
}

async function floatNodes(graph: Graph, node: Node): Promise<Node[]> {
  const read = async (input: number): Promise<number[] | undefined> => {
    const tensor = graph.initializers.get(node.inputs[input] ?? "");
    return tensor && (await numbers(tensor));
  };
  const store = (values: number[], dims: number[]): string => {
    const name = `twin of ${node.outputs[0]}`;
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    graph.initializers.set(name, makeTensor(name, DataType.float32, dims, bytes));
    return name;
  };
  const [x = ""] = node.inputs;
  switch (node.opType) {
    case "MatMulNBits": {
      const weight = store(await unpacked(node, graph, read), sizes(node));
      const bias = node.inputs[5];
      const product = bias ? `${node.outputs[0]} product` : (node.outputs[0] ?? "");
      const nodes = [makeNode("MatMul", [x, weight], [product])];
      if (bias) nodes.push(makeNode("Add", [product, bias], node.outputs));
      return nodes;
    }
    case "MatMulBnb4": {
      const weight = store(await bnb4(node, graph, read), sizes(node));
      return [makeNode("MatMul", [x, weight], node.outputs)];
    }
    case "DequantizeLinear": {
      const tensor = graph.initializers.get(x);
      if (!tensor) return [node];
      const blockSize = intAttribute(node, "block_size", 0);
      const values = await affine(
        tensor,
        intAttribute(node, "axis", 1),
        blockSize,
        await read(1),
        await read(2),
      );
      return [makeNode("Identity", [store(values, tensor.dims)], node.outputs)];
    }
    case "GatherBlockQuantized": {
      const tensor = graph.initializers.get(x) ?? (await reshaped(graph, x));
      const bits = intAttribute(node, "bits", 4);
      const blockSize = intAttribute(node, "block_size", 128);
      const axis = intAttribute(node, "quantize_axis", 1);
      let view = tensor;
      let zeroPoints = await read(3);
      let offset = 0;
      if (tensor.dataType === DataType.uint8) {
        const [rows = 0, bytes = 0] = tensor.dims;
        const cols = (bytes * 8) / bits;
        const raw = await readAll(tensor.data);
        view = makeTensor(
          "",
          DataType.float32,
          [rows, cols],
          new Uint8Array(Float32Array.from(codes(raw, bits, rows * cols)).buffer),
        );
        const zeros = graph.initializers.get(node.inputs[3] ?? "");
        const blocks = cols / blockSize;
        const stride = Math.ceil((blocks * bits) / 8);
        const zeroBytes = zeros && (await readAll(zeros.data));
        zeroPoints =
          zeroBytes &&
          Array.from({ length: rows }, (_, r) =>
            codes(zeroBytes.subarray(r * stride), bits, blocks),
          ).flat();
        offset = zeroBytes ? 0 : 1 << (bits - 1);
      }
      const values = await affine(view, axis, blockSize, await read(2), zeroPoints, offset);
      const attributes = node.attributes
        .filter((attribute) => attribute.name === "gather_axis")
        .map((attribute) => ({ ...attribute, name: "axis" }));
      return [
        makeNode("Gather", [store(values, view.dims), node.inputs[1] ?? ""], node.outputs, {
          attributes,
        }),
      ];
    }
    default:
      return [node];
  }
}

const sizes = (node: Node): number[] => [intAttribute(node, "K", 0), intAttribute(node, "N", 0)];

type Read = (input: number) => Promise<number[] | undefined>;

/** B [K, N] of MatMulNBits. */
async function unpacked(node: Node, graph: Graph, read: Read): Promise<number[]> {
  const [rows = 0, columns = 0] = sizes(node);
  const bits = intAttribute(node, "bits", 4);
  const blockSize = intAttribute(node, "block_size", 0);
  const blocks = Math.ceil(rows / blockSize);
  const packed = await read(1);
  const scales = (await read(2)) ?? [];
  const zeros = graph.initializers.get(node.inputs[3] ?? "");
  const zeroValues = zeros && (await numbers(zeros));
  const stride = Math.ceil((blocks * bits) / 8);
  const bytes = Uint8Array.from(packed ?? []);
  return Array.from({ length: rows * columns }, (_, i) => {
    const k = Math.floor(i / columns);
    const n = i % columns;
    const block = Math.floor(k / blockSize);
    let zero = 1 << (bits - 1);
    if (zeros?.dataType === DataType.float32) zero = at(zeroValues ?? [], n * blocks + block);
    else if (zeroValues) {
      const row = Uint8Array.from(zeroValues.slice(n * stride, (n + 1) * stride));
      zero = at(codes(row, bits, blocks), block);
    }
    const bit = ((n * blocks + block) * blockSize + (k % blockSize)) * bits;
    const code =
      (at([...bytes.subarray(bit >> 3, (bit >> 3) + 1)], 0) >> (bit & 7)) & ((1 << bits) - 1);
    return (code - zero) * at(scales, n * blocks + block);
  });
}

/** B [K, N] of MatMulBnb4. */
async function bnb4(node: Node, _graph: Graph, read: Read): Promise<number[]> {
  const [rows = 0, columns = 0] = sizes(node);
  const blockSize = intAttribute(node, "block_size", 0);
  const packed = (await read(1)) ?? [];
  const absmax = (await read(2)) ?? [];
  const isNf4 = intAttribute(node, "quant_type", 0) === 1;
  return Array.from({ length: rows * columns }, (_, i) => {
    const flat = (i % columns) * rows + Math.floor(i / columns);
    const code = (at(packed, flat >> 1) >> (flat % 2 === 0 ? 4 : 0)) & 15;
    const unit = isNf4 ? at(NF4, code) : at(FP4, code & 7) * (code & 8 ? -1 : 1);
    return unit * at(absmax, Math.floor(flat / blockSize));
  });
}

/** DequantizeLinear along an axis, per tensor, per channel, or in blocks. */
async function affine(
  tensor: Tensor,
  axis: number,
  blockSize: number,
  scales: number[] = [],
  zeros?: number[],
  offset = 0,
): Promise<number[]> {
  const { dims } = tensor;
  const inner = elementCount(dims.slice(axis + 1));
  const extent = dims[axis] ?? 1;
  const blocks = Math.ceil(extent / blockSize);
  return (await numbers(tensor)).map((code, i) => {
    const channel = Math.floor(i / inner) % extent;
    let index = scales.length === 1 ? 0 : channel;
    if (blockSize > 0) {
      index =
        (Math.floor(i / (inner * extent)) * blocks + Math.floor(channel / blockSize)) * inner +
        (i % inner);
    }
    return (code - (zeros ? at(zeros, index) : offset)) * at(scales, index);
  });
}

/** The initializer behind a Reshape, with its new dims. */
async function reshaped(graph: Graph, name: string): Promise<Tensor> {
  const node = graph.nodes.find((candidate) => candidate.outputs[0] === name);
  const tensor = graph.initializers.get(node?.inputs[0] ?? "");
  const shape = graph.initializers.get(node?.inputs[1] ?? "");
  if (node?.opType !== "Reshape" || !tensor || !shape)
    throw new Error(`no tensor behind "${name}"`);
  const dims = [...new BigInt64Array((await readAll(shape.data)).slice().buffer)].map(Number);
  return { ...tensor, dims };
}
