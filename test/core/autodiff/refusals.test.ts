/** @file What the rules cannot differentiate is an error before anything runs, which names the node and the reason. */
import { describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { makeFloat, makeInt, makeInts, makeString } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Attribute, Dimension, Tensor } from "../../../src/onnx/model.ts";
import { importOpset } from "../../../src/graph/build.ts";
import { model, valueInfo } from "../runtime/models.ts";

interface Subject {
  /** May be `domain::OpType`. */
  op: string;
  inputs?: string[];
  x?: Dimension[];
  attributes?: Attribute[];
  constants?: Tensor[];
  /** The first output and others. */
  outputs?: string[];
}

/** Differentiates ReduceSum(op(x, …)) with respect to x; `i` and `n` are int64 inputs of 1 and of 2 elements. */
async function gradientOf(subject: Subject): Promise<unknown> {
  const { op, inputs = ["x"], x = [2, 2, 4, 4], attributes = [], constants = [] } = subject;
  const [opType = "", domain = ""] = op.split("::").toReversed();
  const node = makeNode(opType, inputs, subject.outputs ?? ["y"], {
    name: "it",
    domain,
    attributes,
  });
  const sum = makeNode("ReduceSum", ["y"], ["loss"], { attributes: [makeInt("keepdims", 0)] });
  const whole = model(
    [node, sum],
    [valueInfo("x", 1, x), valueInfo("i", 7, [1]), valueInfo("n", 7, [2])],
    [valueInfo("loss", 1, [])],
    constants,
  );
  if (domain) importOpset(whole, domain, 1);
  return await differentiate(await normalise(whole), { loss: "loss", parameters: ["x"] });
}

const scales = makeFloat32("s", [1, 1, 2, 2]);
const REFUSED: [string, Subject, string][] = [
  [
    "Conv of a picture whose size is not known",
    {
      op: "Conv",
      inputs: ["x", "w"],
      x: [2, 1, "height", 4],
      constants: [makeFloat32("w", [1], [1, 1, 1, 1])],
    },
    'Conv "it": the size of "x" along axis 2 is not known: the input "x" leaves axis 2 open, fix it in the model',
  ],
  [
    "Slice by bounds of the run along two axes",
    { op: "Slice", inputs: ["x", "n", "n"] },
    'Slice "it": sizes or bounds of more than one of its axes are not known',
  ],
  [
    "Slice along axes of the run",
    {
      op: "Slice",
      inputs: ["x", "from", "to", "i"],
      constants: [makeInt64("from", [1]), makeInt64("to", [2])],
    },
    'Slice "it": its axes are not known before the run',
  ],
  [
    "Pad by numbers of the run",
    { op: "Pad", inputs: ["x", "n"], x: [3] },
    'Pad "it": its pads or axes are not known before the run',
  ],
  [
    "Pad that reflects less than nothing",
    {
      op: "Pad",
      inputs: ["x", "p"],
      x: [4],
      attributes: [makeString("mode", "reflect")],
      constants: [makeInt64("p", [-1, 1])],
    },
    'Pad "it": it has negative pads in mode reflect',
  ],
  [
    "Tile by repeats of the run",
    { op: "Tile", inputs: ["x", "n"], x: [2, 2] },
    'Tile "it": its repeats are not known before the run',
  ],
  [
    "Resize with antialias",
    {
      op: "Resize",
      inputs: ["x", "", "s"],
      attributes: [makeInt("antialias", 1), makeString("mode", "linear")],
      constants: [scales],
    },
    'Resize "it": antialias has no gradient rule',
  ],
  [
    "Resize of a crop",
    {
      op: "Resize",
      inputs: ["x", "", "s"],
      attributes: [makeString("coordinate_transformation_mode", "tf_crop_and_resize")],
      constants: [scales],
    },
    "tf_crop_and_resize has no gradient rule",
  ],
  [
    "ScatterElements that multiplies",
    {
      op: "ScatterElements",
      inputs: ["x", "i", "u"],
      x: [3],
      attributes: [makeString("reduction", "mul")],
      constants: [makeFloat32("u", [2])],
    },
    'ScatterElements "it": reduction mul has no gradient rule',
  ],
  [
    "Einsum of a diagonal",
    { op: "Einsum", x: [3, 3], attributes: [makeString("equation", "ii->i")] },
    'Einsum "it": an operand of "ii->i" names an axis twice',
  ],
  [
    "com.microsoft Attention with a past",
    {
      op: "com.microsoft::Attention",
      inputs: ["x", "w", "", "", "p"],
      x: [2, 3, 4],
      attributes: [makeInt("num_heads", 2)],
      constants: [
        makeFloat32("w", Array(48).fill(0), [4, 12]),
        makeFloat32("p", Array(48).fill(0), [2, 2, 2, 3, 2]),
      ],
    },
    "its past and present have no gradient rule",
  ],
  [
    "MultiHeadAttention of packed inputs",
    {
      op: "com.microsoft::MultiHeadAttention",
      x: [2, 3, 2, 3, 4],
      attributes: [makeInt("num_heads", 2)],
    },
    "a packed query, key and value have no gradient rule",
  ],
  [
    "FusedConv with an activation that is not known",
    {
      op: "com.microsoft::FusedConv",
      inputs: ["x", "w"],
      attributes: [
        makeString("activation", "Swish"),
        makeInts("kernel_shape", [1, 1]),
        makeFloat("beta", 1),
      ],
      constants: [makeFloat32("w", [1, 1], [1, 2, 1, 1])],
    },
    "its activation Swish has no gradient rule",
  ],
];

describe("refused", () => {
  test.each(REFUSED)("%s", async (_name, subject, message) => {
    await expect(gradientOf(subject)).rejects.toThrow(message);
  });
});
