/** @file The seeded models that the benchmarks compress: a transformer encoder of any size, a convolution net. */
import { makeInt64, makeFloat32, makeNode, makeTensor } from "../src/graph/build.ts";
import { makeInt, makeInts } from "../src/graph/attributes.ts";
import { emptyGraph } from "../src/onnx/read-graph.ts";
import type { Model, Tensor, ValueInfo } from "../src/onnx/model.ts";
import { ComputedData } from "../src/onnx/tensor-data.ts";

export interface TransformerShape {
  layers: number;
  width: number;
  hidden: number;
  heads: number;
  vocabulary: number;
  positions: number;
}

const FLOAT = 1;
const CHUNK = 1 << 18;

/** Weights of standard deviation about 0.02 with a few outliers, the same for the same seed; made while they are written. */
function weight(name: string, dims: number[], seed: number): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const data = new ComputedData(count * 4, async (sink) => {
    let state = (seed * 2_654_435_761 + 1) >>> 0;
    const uniform = () => {
      // xorshift32 (Marsaglia 2003)
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ (state << 5)) >>> 0;
      return state / 2 ** 32;
    };
    const values = new Float32Array(Math.min(CHUNK, count));
    for (let done = 0; done < count; done += values.length) {
      const part = values.subarray(0, Math.min(values.length, count - done));
      for (let i = 0; i < part.length; i++) {
        // Irwin-Hall of four uniforms: variance 1/3.
        const normal = (uniform() + uniform() + uniform() + uniform() - 2) * 1.732;
        part[i] = normal * 0.02 * (uniform() < 5e-5 ? 8 : 1);
      }
      await sink.write(new Uint8Array(part.buffer, 0, part.byteLength));
    }
  });
  return makeTensor(name, FLOAT, dims, data);
}

const info = (name: string, elementType: number, shape: (string | number)[]): ValueInfo => ({
  name,
  type: { kind: "tensor", elementType, shape },
});

function emptyModel(name: string): Model {
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "hone bench",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    metadata: [],
    functions: [],
    graph: { ...emptyGraph(), name },
  };
}

export function transformer(shape: TransformerShape): Model {
  const { layers, width, hidden, heads, vocabulary, positions } = shape;
  const model = emptyModel("transformer");
  const { graph } = model;
  let seed = 1;
  const store = (tensor: Tensor) => {
    graph.initializers.set(tensor.name, tensor);
    return tensor.name;
  };
  const random = (name: string, dims: number[]) => store(weight(name, dims, seed++));
  const add = (
    opType: string,
    inputs: string[],
    output: string,
    attributes: Parameters<typeof makeNode>[3] = {},
  ) => {
    graph.nodes.push(makeNode(opType, inputs, [output], { name: `${output}_node`, ...attributes }));
    return output;
  };
  store(makeInt64("split", [0, 0, heads, width / heads]));
  store(makeInt64("merge", [0, 0, width]));
  store(makeFloat32("root", [Math.sqrt(width / heads)], []));
  const norm = (input: string, name: string) => {
    store(makeFloat32(`${name}.gain`, Array<number>(width).fill(1)));
    return add(
      "LayerNormalization",
      [input, `${name}.gain`, random(`${name}.bias`, [width])],
      `${name}.out`,
      {
        attributes: [makeInt("axis", -1)],
      },
    );
  };
  const linear = (input: string, name: string, from: number, to: number) =>
    add(
      "Add",
      [
        add("MatMul", [input, random(`${name}.weight`, [from, to])], `${name}.product`),
        random(`${name}.bias`, [to]),
      ],
      `${name}.out`,
    );
  add("Gather", [random("words", [vocabulary, width]), "ids"], "word");
  add("Gather", [random("places", [positions, width]), "positions"], "place");
  let x = norm(add("Add", ["word", "place"], "embedded"), "embedding_norm");
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer${layer}`;
    const part = (kind: string, perm: number[]) =>
      add(
        "Transpose",
        [
          add(
            "Reshape",
            [linear(x, `${name}.${kind}`, width, width), "split"],
            `${name}.${kind}.heads`,
          ),
        ],
        `${name}.${kind}.t`,
        {
          attributes: [makeInts("perm", perm)],
        },
      );
    const query = part("q", [0, 2, 1, 3]);
    const key = part("k", [0, 2, 3, 1]);
    const content = part("v", [0, 2, 1, 3]);
    const scores = add(
      "Div",
      [add("MatMul", [query, key], `${name}.qk`), "root"],
      `${name}.scaled`,
    );
    const mixed = add(
      "MatMul",
      [
        add("Softmax", [scores], `${name}.attention`, { attributes: [makeInt("axis", -1)] }),
        content,
      ],
      `${name}.mixed`,
    );
    const merged = add(
      "Reshape",
      [
        add("Transpose", [mixed], `${name}.back`, { attributes: [makeInts("perm", [0, 2, 1, 3])] }),
        "merge",
      ],
      `${name}.merged`,
    );
    const attended = norm(
      add("Add", [linear(merged, `${name}.o`, width, width), x], `${name}.residual1`),
      `${name}.norm1`,
    );
    const wide = add("Relu", [linear(attended, `${name}.up`, width, hidden)], `${name}.relu`);
    x = norm(
      add("Add", [linear(wide, `${name}.down`, hidden, width), attended], `${name}.residual2`),
      `${name}.norm2`,
    );
  }
  add("Identity", [x], "y");
  graph.inputs = [info("ids", 7, ["batch", "tokens"]), info("positions", 7, ["batch", "tokens"])];
  graph.outputs = [info("y", FLOAT, ["batch", "tokens", width])];
  return model;
}

/** 436 MB, the size of BERT base. */
export const MEDIUM: TransformerShape = {
  layers: 12,
  width: 768,
  hidden: 3072,
  heads: 12,
  vocabulary: 30_522,
  positions: 512,
};
