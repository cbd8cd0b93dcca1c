/** @file A perceptron for digits of about so many parameters, with weights from a seed. */
import { makeFloat32, makeInt64, makeNode } from "../src/graph/build.ts";
import { DataType } from "../src/onnx/data-type.ts";
import type { ValueInfo } from "../src/onnx/model.ts";
import { modelBytes } from "../src/onnx/write-model.ts";

const PIXELS = 784;
const CLASSES = 10;

/** image [N, 1, 28, 28] → two layers of one width → logits [N, 10]. */
export async function randomPerceptron(parameters: number): Promise<Uint8Array<ArrayBuffer>> {
  // width² + (784 + 10)·width = parameters
  const half = (PIXELS + CLASSES) / 2;
  const width = Math.round(Math.sqrt(half * half + parameters) - half);
  let state = 1;
  const weight = (name: string, rows: number, columns: number) => {
    const values = Array.from({ length: rows * columns }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state / 2 ** 31 - 1) / Math.sqrt(rows);
    });
    return makeFloat32(name, values, [rows, columns]);
  };
  const tensors = [
    weight("w1", PIXELS, width),
    weight("w2", width, width),
    weight("w3", width, CLASSES),
    makeInt64("flat", [-1, PIXELS]),
  ];
  const info = (name: string, shape: (number | string)[]): ValueInfo => ({
    name,
    type: { kind: "tensor", elementType: DataType.float32, shape },
  });
  return new Uint8Array(
    await modelBytes({
      irVersion: 9,
      opsetImports: [{ domain: "", version: 17 }],
      producerName: "hone-bench",
      producerVersion: "",
      domain: "",
      modelVersion: 0n,
      docString: "",
      graph: {
        name: "perceptron",
        docString: "",
        nodes: [
          makeNode("Reshape", ["image", "flat"], ["x"], { name: "flatten" }),
          makeNode("MatMul", ["x", "w1"], ["h1"], { name: "fc1" }),
          makeNode("Relu", ["h1"], ["r1"], { name: "relu1" }),
          makeNode("MatMul", ["r1", "w2"], ["h2"], { name: "fc2" }),
          makeNode("Relu", ["h2"], ["r2"], { name: "relu2" }),
          makeNode("MatMul", ["r2", "w3"], ["logits"], { name: "fc3" }),
        ],
        initializers: new Map(tensors.map((tensor) => [tensor.name, tensor])),
        sparseInitializers: [],
        inputs: [info("image", ["N", 1, 28, 28])],
        outputs: [info("logits", ["N", CLASSES])],
        valueInfos: [],
        metadata: [],
      },
      metadata: [],
      functions: [],
    }),
  );
}
