/** @file The seeded models whose training step is measured, as exporters write them, with cross-entropy at the end. */
import { makeFloat, makeInt, makeInts } from "../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../src/graph/build.ts";
import { emptyGraph } from "../src/onnx/read-graph.ts";
import type { Attribute, Model } from "../src/onnx/model.ts";

export interface StepModel {
  name: string;
  model: Model;
  parameters: string[];
  /** The first input: float32 values, or int64 ids below `ids`. */
  input: { dims: number[]; ids?: number };
  /** Rows of labels, and how many classes they are from. */
  rows: number;
  classes: number;
}

/** Uniform in [-1, 1), by xorshift32 (Marsaglia 2003). */
export function uniform(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

class Builder {
  readonly graph = emptyGraph();
  readonly parameters: string[] = [];
  readonly #next = uniform(7);
  #count = 0;

  op(opType: string, inputs: string[], attributes: Attribute[] = [], output?: string): string {
    const name = output ?? `${opType}_${++this.#count}`;
    this.graph.nodes.push(makeNode(opType, inputs, [name], { name, attributes }));
    return name;
  }

  /** A weight, uniform within ±1/√fanIn as torch's layers start. */
  weight(name: string, dims: number[], fanIn: number): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: count }, () => this.#next() / Math.sqrt(fanIn));
    this.graph.initializers.set(name, makeFloat32(name, values, dims));
    this.parameters.push(name);
    return name;
  }

  filled(name: string, dims: number[], value: number): string {
    const count = dims.reduce((a, b) => a * b, 1);
    this.graph.initializers.set(name, makeFloat32(name, Array(count).fill(value), dims));
    this.parameters.push(name);
    return name;
  }

  int64(values: number[]): string {
    const name = `int64 ${values.join(" ")}`;
    this.graph.initializers.set(name, makeInt64(name, values));
    return name;
  }

  scalar(value: number): string {
    const name = `float ${value}`;
    this.graph.initializers.set(name, makeFloat32(name, [value], []));
    return name;
  }

  linear(name: string, x: string, from: number, to: number): string {
    const inputs = [
      x,
      this.weight(`${name}.weight`, [to, from], from),
      this.weight(`${name}.bias`, [to], from),
    ];
    return this.op("Gemm", inputs, [makeInt("transB", 1)]);
  }

  /** Over the last axis of three. */
  dense(name: string, x: string, from: number, to: number, hasBias = true): string {
    const product = this.op("MatMul", [x, this.weight(`${name}.weight`, [from, to], from)]);
    return hasBias ? this.op("Add", [this.weight(`${name}.bias`, [to], from), product]) : product;
  }

  conv(
    name: string,
    x: string,
    shape: { from: number; to: number; size: number; stride?: number; group?: number },
  ): string {
    const { from, to, size, stride = 1, group = 1 } = shape;
    const fanIn = (from / group) * size * size;
    const inputs = [
      x,
      this.weight(`${name}.weight`, [to, from / group, size, size], fanIn),
      this.weight(`${name}.bias`, [to], fanIn),
    ];
    const pad = (size - 1) / 2;
    return this.op("Conv", inputs, [
      makeInts("kernel_shape", [size, size]),
      makeInts("pads", [pad, pad, pad, pad]),
      makeInts("strides", [stride, stride]),
      makeInt("group", group),
    ]);
  }

  relu(x: string): string {
    return this.op("Relu", [x]);
  }

  maxPool(x: string): string {
    return this.op("MaxPool", [x], [makeInts("kernel_shape", [2, 2]), makeInts("strides", [2, 2])]);
  }

  norm(name: string, x: string, width: number): string {
    const inputs = [
      x,
      this.filled(`${name}.weight`, [width], 1),
      this.filled(`${name}.bias`, [width], 0),
    ];
    return this.op("LayerNormalization", inputs, [makeInt("axis", -1), makeFloat("epsilon", 1e-5)]);
  }

  /** Gelu as it is exported below opset 20. */
  gelu(x: string): string {
    const erf = this.op("Erf", [this.op("Div", [x, this.scalar(Math.SQRT2)])]);
    return this.op("Mul", [
      this.op("Mul", [x, this.op("Add", [erf, this.scalar(1)])]),
      this.scalar(0.5),
    ]);
  }

  /** Adds loss = −mean(log p[label]) over `rows` rows of the scores. */
  finish(
    name: string,
    scores: string,
    input: StepModel["input"],
    rows: number,
    classes: number,
  ): StepModel {
    const { graph } = this;
    const flat = this.op("Reshape", [scores, this.int64([-1, classes])], [], "logits");
    const logP = this.op("LogSoftmax", [flat], [makeInt("axis", -1)]);
    const picked = this.op("GatherElements", [logP, "labels"], [makeInt("axis", 1)]);
    this.op("Neg", [this.op("ReduceMean", [picked], [makeInt("keepdims", 0)])], [], "loss");
    const info = (value: string, elementType: number, shape: (number | string)[]) => ({
      name: value,
      type: { kind: "tensor" as const, elementType, shape },
    });
    graph.inputs.push(
      info("x", input.ids === undefined ? 1 : 7, ["batch", ...input.dims.slice(1)]),
      info("labels", 7, ["rows", 1]),
    );
    graph.outputs.push(info("loss", 1, []));
    const model: Model = {
      irVersion: 9,
      opsetImports: [{ domain: "", version: 18 }],
      producerName: "hone bench",
      producerVersion: "",
      domain: "",
      modelVersion: 0n,
      docString: "",
      metadata: [],
      functions: [],
      graph,
    };
    return { name, model, parameters: this.parameters, input, rows, classes };
  }
}

/** 784-256-128-10, 235 k parameters, batch 64. */
export function mlp(): StepModel {
  const b = new Builder();
  const first = b.relu(b.linear("0", "x", 784, 256));
  const scores = b.linear("4", b.relu(b.linear("2", first, 256, 128)), 128, 10);
  return b.finish("mlp", scores, { dims: [64, 784] }, 64, 10);
}

/** Two convolutions and two dense layers, 106 k parameters, 32 pictures of 28×28. */
export function cnn(): StepModel {
  const b = new Builder();
  const first = b.maxPool(b.relu(b.conv("0", "x", { from: 1, to: 16, size: 5 })));
  const second = b.maxPool(b.relu(b.conv("3", first, { from: 16, to: 32, size: 3 })));
  const flat = b.op("Flatten", [second], [makeInt("axis", 1)]);
  const scores = b.linear("9", b.relu(b.linear("7", flat, 32 * 49, 64)), 64, 10);
  return b.finish("cnn", scores, { dims: [32, 1, 28, 28] }, 32, 10);
}

/** A stem and four depthwise-separable blocks, 16 pictures of 3×32×32. */
export function depthwise(): StepModel {
  const b = new Builder();
  let x = b.relu(b.conv("stem", "x", { from: 3, to: 16, size: 3, stride: 2 }));
  let from = 16;
  for (const [i, [to, stride]] of (
    [
      [32, 1],
      [64, 2],
      [64, 1],
      [128, 2],
    ] as const
  ).entries()) {
    x = b.relu(b.conv(`${i}.depth`, x, { from, to: from, size: 3, stride, group: from }));
    x = b.relu(b.conv(`${i}.point`, x, { from, to, size: 1 }));
    from = to;
  }
  const pooled = b.op("Flatten", [b.op("GlobalAveragePool", [x])], [makeInt("axis", 1)]);
  return b.finish(
    "depthwise",
    b.linear("head", pooled, from, 10),
    { dims: [16, 3, 32, 32] },
    16,
    10,
  );
}

/** Two pre-norm layers of width 128 with 4 heads, 470 k parameters, 8 sequences of 64 tokens. */
export function transformer(): StepModel {
  const b = new Builder();
  const [width, heads, length, vocabulary] = [128, 4, 64, 256];
  const tokens = b.op("Gather", [b.weight("tokens", [vocabulary, width], 1), "x"]);
  let x = b.op("Add", [tokens, b.weight("positions", [length, width], 2500)]);
  for (const layer of ["0", "1"]) {
    const split = (y: string, perm: number[]): string =>
      b.op(
        "Transpose",
        [b.op("Reshape", [y, b.int64([-1, length, heads, width / heads])])],
        [makeInts("perm", perm)],
      );
    const h = b.norm(`${layer}.norm1`, x, width);
    const q = split(b.dense(`${layer}.q`, h, width, width), [0, 2, 1, 3]);
    const k = split(b.dense(`${layer}.k`, h, width, width), [0, 2, 3, 1]);
    const v = split(b.dense(`${layer}.v`, h, width, width), [0, 2, 1, 3]);
    const scores = b.op("Mul", [b.op("MatMul", [q, k]), b.scalar((width / heads) ** -0.5)]);
    const mixed = b.op("MatMul", [b.op("Softmax", [scores], [makeInt("axis", -1)]), v]);
    const joined = b.op("Reshape", [
      b.op("Transpose", [mixed], [makeInts("perm", [0, 2, 1, 3])]),
      b.int64([-1, length, width]),
    ]);
    x = b.op("Add", [x, b.dense(`${layer}.out`, joined, width, width)]);
    const up = b.gelu(b.dense(`${layer}.up`, b.norm(`${layer}.norm2`, x, width), width, 4 * width));
    x = b.op("Add", [x, b.dense(`${layer}.down`, up, 4 * width, width)]);
  }
  const scores = b.dense("head", b.norm("norm", x, width), width, vocabulary, false);
  return b.finish(
    "transformer",
    scores,
    { dims: [8, length], ids: vocabulary },
    8 * length,
    vocabulary,
  );
}
