import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeTensorAttribute } from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { alreadyQuantized } from "../../../../src/quantize/quantized.ts";
import { graphOf, modelOf, weight } from "./models.ts";

const golden = async (name: string) => {
  const bytes = new Uint8Array(readFileSync(`test/goldens/dynamic/${name}.onnx`));
  return alreadyQuantized(await readModel(new MemorySource(bytes)));
};

describe("alreadyQuantized", () => {
  test("a float model has no form", async () => {
    expect(await golden("mlp")).toEqual({
      forms: [],
      floatBytes: 4 * (12 * 16 + 16 + 16 * 5),
      halfBytes: 0,
      quantizedBytes: 0,
      summary: undefined,
    });
  });

  test("what onnxruntime quantized dynamically shows as dynamic, its bias as float", async () => {
    const state = await golden("mlp.0");
    expect(state.forms).toEqual([{ form: "dynamic", count: 4 }]);
    expect(state.quantizedBytes).toBe(12 * 16 + 16 * 5 + 2);
    expect(state.floatBytes).toBe(4 * (16 + 2));
    expect(state.summary).toBe(
      "quantized already: dynamic integer operators (4); 72 bytes are left in float32",
    );
  });

  test("a quantized LSTM is dynamic, a dequantized embedding qdq", async () => {
    expect((await golden("lstm.0")).forms).toEqual([{ form: "dynamic", count: 1 }]);
    expect((await golden("embeddings.0")).forms).toContainEqual({ form: "qdq", count: 2 });
  });

  test("QLinear operators, blocks and float16 are told apart, in subgraphs and Constant nodes too", () => {
    const half = makeTensor("h", DataType.float16, [2, 2], new Uint8Array(8));
    const packed = makeTensor("p", DataType.uint8, [4, 1, 16], new Uint8Array(64));
    const inner = graphOf(
      [
        makeNode("Constant", [], ["h"], { attributes: [makeTensorAttribute("value", half)] }),
        makeNode("QLinearConv", ["a"], ["b"]),
      ],
      {},
      { b: [] },
    );
    const nodes = [
      makeNode("MatMulNBits", ["x", "p"], ["y"], { domain: "com.microsoft" }),
      makeNode("If", ["yes"], ["z"], {
        attributes: [{ name: "then_branch", type: "graph", value: inner }],
      }),
    ];
    const model = modelOf(graphOf(nodes, { x: [] }, { y: [] }, [packed, weight("w", [3, 3])]));
    const state = alreadyQuantized(model);
    expect(state.forms.toSorted((a, b) => (a.form < b.form ? -1 : 1))).toEqual([
      { form: "blocks", count: 1 },
      { form: "float16", count: 1 },
      { form: "qoperator", count: 1 },
    ]);
    expect(state).toMatchObject({ floatBytes: 36, halfBytes: 8, quantizedBytes: 64 });
  });
});
