/** @file A small convolutional net for handwritten digits, with weights drawn from a seed: what the demo trains. */
import { makeInts } from "../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../src/graph/build.ts";
import { DataType } from "../../src/onnx/data-type.ts";
import type { Model, Tensor, ValueInfo } from "../../src/onnx/model.ts";
import { modelBytes } from "../../src/onnx/write-model.ts";

/** Uniform in ± 1/sqrt(inner), as torch starts linear and convolutional layers. */
function drawn(name: string, dims: number[], inner: number, seed: number): Tensor {
  let state = seed;
  const values = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) / Math.sqrt(inner);
  });
  return makeFloat32(name, values, dims);
}

function info(name: string, shape: (number | string)[]): ValueInfo {
  return { name, type: { kind: "tensor", elementType: DataType.float32, shape } };
}

/** image [N, 1, 28, 28] → 8 filters → 16 filters, both with stride 2 → 64 → logits [N, 10]: 52,266 parameters. */
function digitModel(): Model {
  const conv = (kernel: number) => [
    makeInts("kernel_shape", [kernel, kernel]),
    makeInts("strides", [2, 2]),
    makeInts(
      "pads",
      [1, 1, 1, 1].map((pad) => (kernel === 5 ? pad + 1 : pad)),
    ),
  ];
  const weights = [
    drawn("conv1.weight", [8, 1, 5, 5], 25, 1),
    drawn("conv1.bias", [8], 25, 2),
    drawn("conv2.weight", [16, 8, 3, 3], 72, 3),
    drawn("conv2.bias", [16], 72, 4),
    drawn("fc1.weight", [784, 64], 784, 5),
    drawn("fc1.bias", [64], 784, 6),
    drawn("fc2.weight", [64, 10], 64, 7),
    drawn("fc2.bias", [10], 64, 8),
    makeInt64("flat", [-1, 784]),
  ];
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "hone-demo",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: {
      name: "digits",
      docString: "",
      nodes: [
        makeNode("Conv", ["image", "conv1.weight", "conv1.bias"], ["c1"], {
          name: "conv1",
          attributes: conv(5),
        }),
        makeNode("Relu", ["c1"], ["r1"], { name: "relu1" }),
        makeNode("Conv", ["r1", "conv2.weight", "conv2.bias"], ["c2"], {
          name: "conv2",
          attributes: conv(3),
        }),
        makeNode("Relu", ["c2"], ["r2"], { name: "relu2" }),
        makeNode("Reshape", ["r2", "flat"], ["f"], { name: "flatten" }),
        makeNode("Gemm", ["f", "fc1.weight", "fc1.bias"], ["h"], { name: "fc1" }),
        makeNode("Relu", ["h"], ["r3"], { name: "relu3" }),
        makeNode("Gemm", ["r3", "fc2.weight", "fc2.bias"], ["logits"], { name: "fc2" }),
      ],
      initializers: new Map(weights.map((weight) => [weight.name, weight])),
      sparseInitializers: [],
      inputs: [info("image", ["N", 1, 28, 28])],
      outputs: [info("logits", ["N", 10])],
      valueInfos: [],
      metadata: [],
    },
    metadata: [],
    functions: [],
  };
}

export async function digitModelFile(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await modelBytes(digitModel()));
}
