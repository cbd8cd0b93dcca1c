/** @file A seeded transformer encoder of any size. */
import { makeInt, makeInts } from "../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../src/graph/build.ts";
import type { Model, Tensor } from "../src/onnx/model.ts";
import { emptyModel, FLOAT, info, weight } from "./random-model.ts";

export interface TransformerShape {
  layers: number;
  width: number;
  hidden: number;
  heads: number;
  vocabulary: number;
  positions: number;
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

/** 2.48 GB: past protobuf's 2 GiB, so its weights are external data. */
export const LARGE: TransformerShape = {
  layers: 11,
  width: 2048,
  hidden: 8192,
  heads: 16,
  vocabulary: 32_000,
  positions: 512,
};

/** 1.2 MB: what an API call takes while somebody waits. */
export const SMALL: TransformerShape = {
  layers: 2,
  width: 96,
  hidden: 384,
  heads: 4,
  vocabulary: 512,
  positions: 64,
};

/** 29 MB: about the most that ONNX Runtime takes in an isolate. */
export const VERIFIED: TransformerShape = {
  layers: 4,
  width: 384,
  hidden: 1536,
  heads: 6,
  vocabulary: 500,
  positions: 64,
};
