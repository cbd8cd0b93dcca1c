/** @file bfloat16: weights in 16 bits with a Cast behind them, everything else as it was. */
import { describe, expect, test } from "vitest";
import { makeTensorAttribute } from "../../../../src/graph/attributes.ts";
import { makeNode } from "../../../../src/graph/build.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { convertFloat16, type Float16Options } from "../../../../src/quantize/float16.ts";
import { graph, model, typeOf, value, weight } from "./graphs.ts";
import { inputsFor, relativeError, run, RUNTIMES } from "./sessions.ts";

const arena = await Arena.create(await kernelModule());

/** x → MatMul(w, an initializer) → Add(b, small) → Mul(k, in a Constant) → y */
function small() {
  const held = weight("k", [64]);
  return model(
    graph(
      [
        makeNode("MatMul", ["x", "w"], ["m"], { name: "product" }),
        makeNode("Add", ["m", "b"], ["a"]),
        makeNode("Constant", [], ["k"], { attributes: [makeTensorAttribute("value", held)] }),
        makeNode("Mul", ["a", "k"], ["y"]),
      ],
      [value("x", [2, 64])],
      [value("y", [2, 64])],
      [weight("w", [64, 64]), weight("b", [1])],
    ),
  );
}

const convert = async (changed = small(), options: Float16Options = {}) => ({
  changed,
  report: await convertFloat16(changed, { dtype: "bfloat16", ...options }, arena),
});

describe("bfloat16", () => {
  test("each weight that shrinks is stored in 16 bits and cast to its old name", async () => {
    const { changed, report } = await convert();
    const { initializers, nodes } = changed.graph;
    expect([...initializers.values()].map(({ name, dataType }) => [name, dataType])).toEqual([
      ["w_bfloat16", DataType.bfloat16],
      ["b", DataType.float32],
    ]);
    expect(nodes.map(({ opType }) => opType)).toEqual([
      "Cast",
      "MatMul",
      "Add",
      "Constant",
      "Cast",
      "Mul",
    ]);
    expect(nodes[0]).toMatchObject({ inputs: ["w_bfloat16"], outputs: ["w"] });
    expect(report.changed.map(({ name, to }) => [name, to])).toEqual([
      ["w", "bfloat16"],
      ["k", "bfloat16"],
    ]);
    expect(report.kept).toEqual([
      { name: "b", reason: "the Cast to float32 would take more than it saves" },
    ]);
  });

  test("inputs and outputs stay float32", async () => {
    const { changed } = await convert();
    expect(typeOf(changed.graph.inputs, "x")).toBe(DataType.float32);
    expect(typeOf(changed.graph.outputs, "y")).toBe(DataType.float32);
  });

  test.each(RUNTIMES)("loads in ONNX Runtime (%s) and stays close", async (_, runtime) => {
    const original = await modelBytes(small());
    const { changed } = await convert();
    const bytes = await modelBytes(changed);
    expect(bytes.length).toBeLessThan(original.length * 0.6);
    const inputs = await inputsFor(original);
    const [expected, actual] = [
      await run(runtime, original, inputs),
      await run(runtime, bytes, inputs),
    ];
    expect(relativeError(expected["y"] ?? [], actual["y"] ?? [])).toBeLessThan(1e-6);
  });

  test("the weights of blocked nodes stay", async () => {
    const byName = await convert(small(), { node_block_list: ["product"] });
    expect(byName.report.changed.map(({ name }) => name)).toEqual(["k"]);
    const byType = await convert(small(), { op_block_list: ["Mul"] });
    expect(byType.report.changed.map(({ name }) => name)).toEqual(["w"]);
    expect(byType.report.kept.map(({ reason }) => reason)).toContain(
      'only blocked nodes read it: Mul "y"',
    );
  });

  test("a weight that is also an input is no input any more, and that is said", async () => {
    const old = small();
    old.irVersion = 3;
    old.graph.inputs.push(value("w", [64, 64]), value("b", [1]));
    const { changed, report } = await convert(old);
    expect(changed.graph.inputs.map(({ name }) => name)).toEqual(["x", "b"]);
    expect(changed.irVersion).toBe(4);
    expect(report.notes).toEqual([
      "1 weights that were also inputs with a default are no inputs any more",
    ]);
  });

  test("a model below opset 13, whose Cast has no bfloat16, is refused", async () => {
    const old = model(small().graph, 12);
    await expect(convert(old)).rejects.toThrow("bfloat16 needs opset 13, the model imports 12");
  });
});
