/** @file The dtypes of transformers.js: names, suffixes, and what each makes of a small transformer. */
import { describe, expect, test } from "vitest";
import { cloneModel } from "../../../src/graph/clone.ts";
import { importOpset, makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, Tensor } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { quantizeDynamic } from "../../../src/quantize/dynamic.ts";
import { convertFloat16 } from "../../../src/quantize/float16.ts";
import { type PresetPass, PRESETS, presetFor } from "../../../src/quantize/presets.ts";
import { quantizeWeightOnly } from "../../../src/quantize/weight-only.ts";
import { graph, model, typeOf, value } from "./float16/graphs.ts";
import { relativeError, run, RUNTIMES } from "./float16/sessions.ts";

const arena = await Arena.create(await kernelModule());

function noise(name: string, dims: number[], scale: number): Tensor {
  let state = name.length + 1;
  const next = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 2 ** 30 - 1;
  const count = dims.reduce((a, b) => a * b, 1);
  return makeFloat32(
    name,
    Array.from({ length: count }, () => next() * scale),
    dims,
  );
}

/** One attention head over 64 channels, with an embedding, a causal mask and a normalization. */
function transformer(): Model {
  const size = [1, 4, 64];
  return model(
    graph(
      [
        makeNode("Gather", ["embedding", "ids"], ["e"]),
        makeNode("LayerNormalization", ["e", "gamma", "beta"], ["n"]),
        makeNode("MatMul", ["n", "query"], ["q"]),
        makeNode("MatMul", ["n", "key"], ["k"]),
        makeNode("Transpose", ["k"], ["kt"], {
          attributes: [{ name: "perm", type: "ints", value: [0n, 2n, 1n] }],
        }),
        makeNode("MatMul", ["q", "kt"], ["scores"]),
        makeNode("Cast", ["mask"], ["allowed"], { attributes: [makeInt("to", 1)] }),
        makeNode("Sub", ["one", "allowed"], ["forbidden"]),
        makeNode("Mul", ["forbidden", "lowest"], ["penalty"]),
        makeNode("Add", ["scores", "penalty"], ["masked"]),
        makeNode("Softmax", ["masked"], ["p"], { attributes: [makeInt("axis", -1)] }),
        makeNode("MatMul", ["p", "n"], ["a"]),
        makeNode("MatMul", ["a", "output"], ["o"]),
        makeNode("Add", ["o", "e"], ["sum"]),
        makeNode("Reshape", ["sum", "shape"], ["y"]),
      ],
      [value("ids", [1, 4], 7), value("mask", [1, 1, 4], 7)],
      [value("y", size)],
      [
        noise("embedding", [32, 64], 1),
        makeFloat32("gamma", Array<number>(64).fill(0.5)),
        makeFloat32("beta", Array<number>(64).fill(0.01)),
        noise("query", [64, 64], 0.2),
        noise("key", [64, 64], 0.2),
        noise("output", [64, 64], 0.2),
        makeFloat32("one", [1]),
        makeFloat32("lowest", [-3.4028234663852886e38]),
        makeInt64("shape", [1, 4, 64]),
      ],
    ),
  );
}

const INPUTS = {
  ids: { dims: [1, 4], numbers: [3, 1, 20, 31] },
  mask: { dims: [1, 1, 4], numbers: [1, 1, 1, 0] },
};

async function apply(passes: readonly PresetPass[], original: Model): Promise<Model> {
  const changed = cloneModel(original);
  for (const pass of passes) {
    if (pass.method === "dynamic") await quantizeDynamic(changed, pass.options, arena);
    else if (pass.method === "weight_only") await quantizeWeightOnly(changed, pass.options, arena);
    else await convertFloat16(changed, pass.options, arena);
  }
  return changed;
}

/** Largest error of the output; 2 bits hold hardly more than the sign. */
const BOUND: Record<string, number> = {
  fp32: 0,
  fp16: 3e-3,
  q8: 0.03,
  int8: 0.03,
  uint8: 0.03,
  q4: 0.25,
  q4f16: 0.25,
  bnb4: 0.25,
  q2: 0.8,
  q2f16: 0.8,
};

describe("presets", () => {
  test("suffixes are those of transformers.js", () => {
    const suffixes = Object.entries(PRESETS).map(([dtype, { suffix }]) => [dtype, suffix]);
    expect(Object.fromEntries(suffixes)).toEqual({
      fp32: "",
      fp16: "_fp16",
      q8: "_quantized",
      int8: "_int8",
      uint8: "_uint8",
      q4: "_q4",
      q4f16: "_q4f16",
      bnb4: "_bnb4",
      q2: "_q2",
      q2f16: "_q2f16",
    });
  });

  test("auto is what transformers.js takes in WebAssembly", () => {
    expect(presetFor("auto")).toBe(PRESETS["q8"]);
  });

  test("q8 has signed weights unless the model has a Conv", () => {
    const plain = transformer();
    expect(presetFor("q8", plain).passes).toMatchObject([{ options: { weight_type: "qint8" } }]);
    plain.graph.nodes.push(makeNode("Conv", ["y", "w"], ["z"]));
    expect(presetFor("q8", plain).passes).toMatchObject([{ options: { weight_type: "quint8" } }]);
  });

  test("an unknown dtype is an error that lists the known ones", () => {
    expect(() => presetFor("q4f32")).toThrow(
      'dtype "q4f32" is none of auto, fp16, q8, int8, uint8, q4, q4f16, bnb4, q2, q2f16, fp32; nearest: q4f16',
    );
    expect(() => presetFor("constructor")).toThrow(RangeError);
    expect(() => presetFor("q1f16")).toThrow("trained with 1-bit weights");
  });
});

describe.each(Object.entries(PRESETS))("%s", (dtype, { passes }) => {
  test.each(RUNTIMES)("loads in ONNX Runtime (%s) and stays close", async (_, runtime) => {
    const original = transformer();
    importOpset(original, "", 17);
    const changed = await apply(passes, original);
    const expected = await run(runtime, await modelBytes(original), INPUTS);
    const actual = await run(runtime, await modelBytes(changed), INPUTS);
    const error = relativeError(expected["y"] ?? [], actual["y"] ?? []);
    expect(error).toBeLessThanOrEqual(BOUND[dtype] ?? 0);
    expect(typeOf(changed.graph.outputs, "y")).toBe(DataType.float32);
  });
});

test("q4f16 has MatMulNBits in float16: activations and scales", async () => {
  const changed = await apply(presetFor("q4f16").passes, transformer());
  const packed = changed.graph.nodes.filter(({ opType }) => opType === "MatMulNBits");
  expect(packed).toHaveLength(3);
  for (const { inputs } of packed) {
    const scales = changed.graph.initializers.get(inputs[2] ?? "");
    expect(scales?.dataType).toBe(DataType.float16);
    const codes = changed.graph.initializers.get(inputs[1] ?? "");
    expect(codes?.dataType).toBe(DataType.uint8);
  }
  expect(changed.graph.initializers.get("embedding")?.dataType).toBe(DataType.float16);
});

test("fp16 clamps a mask's minus infinity to -10000, as the script of transformers.js", async () => {
  const changed = await apply(presetFor("fp16").passes, transformer());
  const lowest = changed.graph.initializers.get("lowest");
  const bytes = new Uint8Array(2);
  await lowest?.data.read(0, bytes);
  expect(new Float16Array(bytes.buffer)[0]).toBe(-10000);
});
