/** @file A seeded ResNet-50 (He et al. 2015) with its batch norms folded into the convolutions: 102 MB. */
import { makeInt, makeInts } from "../src/graph/attributes.ts";
import { makeNode } from "../src/graph/build.ts";
import type { Model } from "../src/onnx/model.ts";
import { emptyModel, FLOAT, info, weight } from "./random-model.ts";

/** Blocks and inner channels of the four stages; a block's output has four times as many. */
export interface ConvNetShape {
  stages: readonly (readonly [blocks: number, channels: number])[];
  stem: number;
  classes: number;
}

const EXPANSION = 4;

export function convNet({ stages, stem, classes }: ConvNetShape): Model {
  const model = emptyModel("conv-net");
  const { graph } = model;
  let seed = 1000;
  const store = (name: string, dims: number[]) => {
    graph.initializers.set(name, weight(name, dims, seed++));
    return name;
  };
  const add = (
    opType: string,
    inputs: string[],
    output: string,
    attributes: Parameters<typeof makeNode>[3] = {},
  ) => {
    graph.nodes.push(makeNode(opType, inputs, [output], { name: `${output}_node`, ...attributes }));
    return output;
  };
  const conv = (
    input: string,
    name: string,
    [from, to]: readonly [number, number],
    kernel: number,
    stride = 1,
  ) => {
    const pad = Math.floor(kernel / 2);
    return add(
      "Conv",
      [input, store(`${name}.weight`, [to, from, kernel, kernel]), store(`${name}.bias`, [to])],
      `${name}.out`,
      {
        attributes: [
          makeInts("kernel_shape", [kernel, kernel]),
          makeInts("strides", [stride, stride]),
          makeInts("pads", [pad, pad, pad, pad]),
        ],
      },
    );
  };
  let x = add("Relu", [conv("image", "stem", [3, stem], 7, 2)], "stem.relu");
  x = add("MaxPool", [x], "stem.pool", {
    attributes: [
      makeInts("kernel_shape", [3, 3]),
      makeInts("strides", [2, 2]),
      makeInts("pads", [1, 1, 1, 1]),
    ],
  });
  let width = stem;
  for (const [stage, [blocks, channels]] of stages.entries()) {
    const out = channels * EXPANSION;
    for (let block = 0; block < blocks; block++) {
      const name = `stage${stage}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const relu = (input: string) => add("Relu", [input], `${input}.relu`);
      const reduced = relu(conv(x, `${name}.reduce`, [width, channels], 1));
      const spatial = relu(conv(reduced, `${name}.spatial`, [channels, channels], 3, stride));
      const expanded = conv(spatial, `${name}.expand`, [channels, out], 1);
      const shortcut = block === 0 ? conv(x, `${name}.shortcut`, [width, out], 1, stride) : x;
      x = relu(add("Add", [expanded, shortcut], `${name}.sum`));
      width = out;
    }
  }
  const pooled = add("Flatten", [add("GlobalAveragePool", [x], "pooled")], "features");
  add(
    "Gemm",
    [pooled, store("head.weight", [classes, width]), store("head.bias", [classes])],
    "y",
    {
      attributes: [makeInt("transB", 1)],
    },
  );
  graph.inputs = [info("image", FLOAT, ["batch", 3, "height", "width"])];
  graph.outputs = [info("y", FLOAT, ["batch", classes])];
  return model;
}

export const RESNET_50: ConvNetShape = {
  stages: [
    [3, 64],
    [4, 128],
    [6, 256],
    [3, 512],
  ],
  stem: 64,
  classes: 1000,
};

/** 1.1 MB. */
export const SMALL_CONV: ConvNetShape = {
  stages: [
    [1, 16],
    [1, 32],
    [1, 64],
    [1, 96],
  ],
  stem: 16,
  classes: 100,
};
