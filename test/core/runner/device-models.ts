/** @file Four small models as exporters write them: a perceptron, LeNet, a residual block, a transformer block. */
import { makeFloat, makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Attribute, Dimension, Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";

export interface DeviceModel {
  model: Model;
  /** Shape of one row of `x`, and below what its int64 ids are; else it is float32. */
  row: number[];
  ids?: number;
  /** Shape of one row of labels. */
  label: number[];
  classes: number;
}

class Net {
  readonly #nodes: Node[] = [];
  readonly #tensors: Tensor[] = [];

  op(opType: string, inputs: string[], attributes: Attribute[] = []): string {
    const name = `${opType}_${this.#nodes.length}`;
    this.#nodes.push(makeNode(opType, inputs, [name], { name, attributes }));
    return name;
  }

  weight(dims: number[], fanIn: number): string {
    const name = `w${this.#tensors.length}`;
    const count = dims.reduce((a, b) => a * b, 1);
    const values = uniform(count, 1 / Math.sqrt(fanIn), this.#tensors.length + 1);
    this.#tensors.push(makeFloat32(name, [...values], dims));
    return name;
  }

  filled(count: number, value: number): string {
    const name = `w${this.#tensors.length}`;
    this.#tensors.push(makeFloat32(name, Array(count).fill(value), [count]));
    return name;
  }

  int64(values: number[]): string {
    const name = `i${this.#tensors.length}`;
    this.#tensors.push(makeInt64(name, values));
    return name;
  }

  scalar(value: number): string {
    const name = `c${this.#tensors.length}`;
    this.#tensors.push(makeFloat32(name, [value], []));
    return name;
  }

  linear(x: string, from: number, to: number): string {
    const weights = [this.weight([to, from], from), this.weight([to], from)];
    return this.op("Gemm", [x, ...weights], [makeInt("transB", 1)]);
  }

  /** Over the last axis. */
  dense(x: string, from: number, to: number): string {
    const product = this.op("MatMul", [x, this.weight([from, to], from)]);
    return this.op("Add", [product, this.weight([to], from)]);
  }

  conv(x: string, from: number, to: number, size: number, pad: number): string {
    const weights = [this.weight([to, from, size, size], from * size ** 2)];
    return this.op(
      "Conv",
      [x, ...weights],
      [makeInts("kernel_shape", [size, size]), makeInts("pads", [pad, pad, pad, pad])],
    );
  }

  relu(x: string): string {
    return this.op("Relu", [x]);
  }

  pool(x: string): string {
    return this.op("MaxPool", [x], [makeInts("kernel_shape", [2, 2]), makeInts("strides", [2, 2])]);
  }

  batchNorm(x: string, channels: number): string {
    const [one, zero] = [() => this.filled(channels, 1), () => this.filled(channels, 0)];
    return this.op("BatchNormalization", [x, one(), zero(), zero(), one()]);
  }

  layerNorm(x: string, width: number): string {
    const inputs = [x, this.filled(width, 1), this.filled(width, 0)];
    return this.op("LayerNormalization", inputs, [makeInt("axis", -1), makeFloat("epsilon", 1e-5)]);
  }

  /** Gelu as it is exported below opset 20. */
  gelu(x: string): string {
    const erf = this.op("Erf", [this.op("Div", [x, this.scalar(Math.SQRT2)])]);
    const half = this.op("Mul", [x, this.scalar(0.5)]);
    return this.op("Mul", [half, this.op("Add", [erf, this.scalar(1)])]);
  }

  end(logits: string, row: number[], label: number[], classes: number, ids?: number): DeviceModel {
    const shape: Dimension[] = ["N", ...row];
    const built = model(
      this.#nodes,
      [valueInfo("x", ids === undefined ? 1 : 7, shape)],
      [valueInfo(logits, 1, ["N", ...label, classes])],
      this.#tensors,
      17,
    );
    return { model: built, row, label, classes, ...(ids !== undefined && { ids }) };
  }
}

function perceptron(): DeviceModel {
  const net = new Net();
  const hidden = net.relu(net.linear("x", 12, 16));
  return net.end(net.linear(hidden, 16, 4), [12], [], 4);
}

function leNet(): DeviceModel {
  const net = new Net();
  const first = net.pool(net.relu(net.conv("x", 1, 4, 5, 2)));
  const second = net.pool(net.relu(net.conv(first, 4, 6, 5, 0)));
  const flat = net.op("Flatten", [second], [makeInt("axis", 1)]);
  const hidden = net.relu(net.linear(flat, 24, 12));
  return net.end(net.linear(hidden, 12, 5), [1, 16, 16], [], 5);
}

function residualBlock(): DeviceModel {
  const net = new Net();
  const stem = net.relu(net.batchNorm(net.conv("x", 3, 4, 3, 1), 4));
  const inner = net.relu(net.batchNorm(net.conv(stem, 4, 4, 3, 1), 4));
  const outer = net.batchNorm(net.conv(inner, 4, 4, 3, 1), 4);
  const sum = net.relu(net.op("Add", [outer, stem]));
  const pooled = net.op("Flatten", [net.op("GlobalAveragePool", [sum])], [makeInt("axis", 1)]);
  return net.end(net.linear(pooled, 4, 3), [3, 8, 8], [], 3);
}

function transformerBlock(): DeviceModel {
  const net = new Net();
  const [width, heads, length, vocabulary] = [16, 2, 6, 20];
  const tokens = net.op("Gather", [net.weight([vocabulary, width], 1), "x"]);
  const x = net.op("Add", [tokens, net.weight([length, width], 16)]);
  const split = (y: string, perm: number[]): string => {
    const shape = net.int64([-1, length, heads, width / heads]);
    return net.op("Transpose", [net.op("Reshape", [y, shape])], [makeInts("perm", perm)]);
  };
  const h = net.layerNorm(x, width);
  const q = split(net.dense(h, width, width), [0, 2, 1, 3]);
  const k = split(net.dense(h, width, width), [0, 2, 3, 1]);
  const v = split(net.dense(h, width, width), [0, 2, 1, 3]);
  const scores = net.op("Mul", [net.op("MatMul", [q, k]), net.scalar((width / heads) ** -0.5)]);
  const mixed = net.op("MatMul", [net.op("Softmax", [scores], [makeInt("axis", -1)]), v]);
  const heads2d = net.op("Transpose", [mixed], [makeInts("perm", [0, 2, 1, 3])]);
  const joined = net.op("Reshape", [heads2d, net.int64([-1, length, width])]);
  const attended = net.op("Add", [x, net.dense(joined, width, width)]);
  const up = net.gelu(net.dense(net.layerNorm(attended, width), width, 2 * width));
  const y = net.op("Add", [attended, net.dense(up, 2 * width, width)]);
  const logits = net.dense(net.layerNorm(y, width), width, vocabulary);
  return net.end(logits, [length], [length], vocabulary, vocabulary);
}

export const DEVICE_MODELS = {
  MLP: perceptron(),
  LeNet: leNet(),
  "ResNet block": residualBlock(),
  "transformer block": transformerBlock(),
};
