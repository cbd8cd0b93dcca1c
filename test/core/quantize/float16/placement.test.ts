/** @file Where Casts stand, what stays float32, and what the report says. */
import { describe, expect, test } from "vitest";
import { intAttribute, makeInt, subgraphs } from "../../../../src/graph/attributes.ts";
import { importOpset, makeFloat32, makeInt64, makeNode } from "../../../../src/graph/build.ts";
import { UnknownNameError } from "../../../../src/graph/selection.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Graph, Node } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { convertFloat16 } from "../../../../src/quantize/float16.ts";
import { casts, graph, model, typeOf, value, weight } from "./graphs.ts";
import { inputsFor, relativeError, run, RUNTIMES } from "./sessions.ts";

const arena = await Arena.create(await kernelModule());
const { float16, float32 } = DataType;

/** x → Mul(w) → Max(c) → Max(d) → y: blocked operators in the middle. */
const blockedChain = () =>
  model(
    graph(
      [
        makeNode("Mul", ["x", "w"], ["a"]),
        makeNode("Max", ["a", "c"], ["b"], { name: "first" }),
        makeNode("Max", ["a", "b"], ["y"], { name: "second" }),
      ],
      [value("x", [2, 600])],
      [value("y", [2, 600])],
      [weight("w", [600]), weight("c", [600])],
    ),
  );

describe("Casts", () => {
  test("a value that several blocked nodes read has one Cast", async () => {
    const converted = blockedChain();
    await convertFloat16(converted, {}, arena);
    const names = casts(converted.graph).map(({ inputs, outputs }) => [inputs[0], outputs[0]]);
    expect(names).toEqual([
      ["a", "a_cast_to_fp32"],
      ["y_fp32", "y"],
    ]);
  });

  test("a value stays float32 between two blocked nodes", async () => {
    const converted = blockedChain();
    await convertFloat16(converted, {}, arena);
    const [first, second] = converted.graph.nodes.filter(({ opType }) => opType === "Max");
    expect(first?.inputs).toEqual(["a_cast_to_fp32", "c"]);
    expect(second?.inputs).toEqual(["a_cast_to_fp32", "b"]);
  });

  test("names of inputs and outputs stay, with the asked types", async () => {
    for (const keep of [false, true, ["y"]]) {
      const converted = blockedChain();
      await convertFloat16(converted, { keep_io_types: keep }, arena);
      const { inputs, outputs } = converted.graph;
      expect(typeOf(inputs, "x")).toBe(keep === true ? float32 : float16);
      expect(typeOf(outputs, "y")).toBe(keep === false ? float16 : float32);
    }
  });

  test("an outer value that a branch needs in float32 is cast once, outside", async () => {
    const branch = (op: string): Graph =>
      graph([makeNode(op, ["a", "a"], [`${op}_out`])], [], [value(`${op}_out`, [2, 4])]);
    const choose = makeNode("If", ["flag"], ["y"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("Max") },
        { name: "else_branch", type: "graph", value: branch("Min") },
      ],
    });
    const converted = model(
      graph(
        [makeNode("MatMul", ["x", "w"], ["a"]), choose],
        [value("x", [2, 4]), value("flag", [], DataType.bool)],
        [value("y", [2, 4])],
        [weight("w", [4, 4])],
      ),
    );
    await convertFloat16(converted, {}, arena);
    expect(casts(converted.graph).map(({ outputs }) => outputs[0])).toEqual(["a_cast_to_fp32"]);
    for (const body of subgraphs(choose)) {
      expect(body.nodes[0]?.inputs).toEqual(["a_cast_to_fp32", "a_cast_to_fp32"]);
      const [cast] = casts(body);
      expect(cast && intAttribute(cast, "to", 0)).toBe(float16);
      expect(body.outputs[0]?.name).toBe(cast?.outputs[0]);
    }
  });

  test("a Cast behind its producer keeps the graph in topological order", async () => {
    const converted = blockedChain();
    await convertFloat16(converted, {}, arena);
    const seen = new Set([
      ...converted.graph.inputs.map(({ name }) => name),
      ...converted.graph.initializers.keys(),
    ]);
    for (const { inputs, outputs } of converted.graph.nodes) {
      for (const name of inputs) expect(seen).toContain(name);
      for (const name of outputs) seen.add(name);
    }
  });
});

describe("what stays float32", () => {
  test("an operator of an unknown domain, with its weights and Casts around it", async () => {
    const converted = model(
      graph(
        [
          makeNode("Relu", ["x"], ["r"]),
          makeNode("Fancy", ["r", "v"], ["f"], { domain: "acme", name: "fancy" }),
          makeNode("MatMul", ["f", "w"], ["y"]),
        ],
        [value("x", [2, 4])],
        [value("y", [2, 4])],
        [weight("v", [4, 4]), weight("w", [4, 4])],
      ),
      17,
      ["acme"],
    );
    converted.graph.valueInfos = [value("f", [2, 4])];
    const report = await convertFloat16(converted, {}, arena);
    const { initializers, nodes } = converted.graph;
    expect(initializers.get("v")?.dataType).toBe(float32);
    expect(initializers.get("w")?.dataType).toBe(float16);
    expect(nodes.map(({ opType }) => opType)).toEqual(["Relu", "Cast", "Fancy", "Cast", "MatMul"]);
    expect(report.kept).toEqual([
      { name: "v", reason: expect.stringContaining('Fancy "fancy" reads it as float32') },
    ]);
  });

  test("a value whose type nothing tells, with all that depends on it", async () => {
    const converted = model(
      graph(
        [
          makeNode("Fancy", ["x"], ["f"], { domain: "acme" }),
          makeNode("Relu", ["f"], ["r"]),
          makeNode("Mul", ["x", "w"], ["y"]),
        ],
        [value("x", [4])],
        [value("y", [4])],
        [weight("w", [4])],
      ),
      17,
      ["acme"],
    );
    const report = await convertFloat16(converted, {}, arena);
    expect(report.notes.join()).toContain('the element type of "f" is not known');
    expect(converted.graph.nodes.find(({ opType }) => opType === "Relu")?.inputs).toEqual(["f"]);
  });

  test("a blocked Loop with its whole body", async () => {
    const body = graph(
      [makeNode("Identity", ["go"], ["on"]), makeNode("MatMul", ["s", "w"], ["next"])],
      [value("i", [], DataType.int64), value("go", [], DataType.bool), value("s", [2, 4])],
      [value("on", [], DataType.bool), value("next", [2, 4])],
    );
    const loop = makeNode("Loop", ["n", "", "x"], ["y"], {
      name: "loop",
      attributes: [{ name: "body", type: "graph", value: body }],
    });
    const converted = model(
      graph(
        [loop],
        [value("x", [2, 4])],
        [value("y", [2, 4])],
        [weight("w", [4, 4]), makeInt64("n", [2], true)],
      ),
    );
    const report = await convertFloat16(converted, { node_block_list: ["loop"] }, arena);
    expect(converted.graph.initializers.get("w")?.dataType).toBe(float32);
    expect(typeOf(body.inputs, "s")).toBe(float32);
    expect(report.changed).toEqual([]);
    expect(report.notes.join()).toContain('MatMul stays float32: inside Loop "loop"');
  });

  test("float arithmetic on a size that becomes an integer again, beyond 2048 exactly", async () => {
    const original = model(
      graph(
        [
          makeNode("Shape", ["x"], ["shape"]),
          makeNode("Cast", ["shape"], ["size"], { attributes: [makeInt("to", float32)] }),
          makeNode("Mul", ["size", "three"], ["tripled"]),
          makeNode("Cast", ["tripled"], ["count"], { attributes: [makeInt("to", 7)] }),
          makeNode("Div", ["x", "size"], ["y"]),
        ],
        [value("x", ["N"])],
        [value("y", ["N"]), value("count", [1], 7)],
        [makeFloat32("three", [3])],
      ),
    );
    await convertFloat16(original, { keep_io_types: true }, arena);
    const bytes = await modelBytes(original);
    const inputs = await inputsFor(bytes, () => [2051]);
    for (const [, runtime] of RUNTIMES) {
      expect((await run(runtime, bytes, inputs))["count"]).toEqual([6153]);
    }
  });

  test("a rotary angle, whose sine float16 would get wrong", async () => {
    const rotary = () =>
      model(
        graph(
          [
            makeNode("Cast", ["ids"], ["position"], { attributes: [makeInt("to", float32)] }),
            makeNode("Mul", ["position", "frequency"], ["angle"]),
            makeNode("Sin", ["angle"], ["s"]),
            makeNode("Mul", ["s", "x"], ["y"]),
          ],
          [value("ids", [4], 7), value("x", [4])],
          [value("y", [4])],
          [makeFloat32("frequency", [0.7])],
        ),
      );
    const converted = rotary();
    await convertFloat16(converted, { keep_io_types: true }, arena);
    const inputs = {
      ids: { dims: [4], numbers: [3, 2049, 4099, 5003] },
      x: { dims: [4], numbers: [1, 1, 1, 1] },
    };
    for (const [, runtime] of RUNTIMES) {
      const expected = await run(runtime, await modelBytes(rotary()), inputs);
      const actual = await run(runtime, await modelBytes(converted), inputs);
      expect(relativeError(expected["y"] ?? [], actual["y"] ?? [])).toBeLessThan(1e-3);
    }
  });

  test("what is float16 already stays as it is", async () => {
    const cast = (from: string, to: string, type: number): Node =>
      makeNode("Cast", [from], [to], { attributes: [makeInt("to", type)] });
    const converted = model(
      graph(
        [
          cast("x", "h", float16),
          makeNode("Relu", ["h"], ["r"]),
          cast("r", "f", float32),
          makeNode("Mul", ["f", "w"], ["y"]),
        ],
        [value("x", [2, 4])],
        [value("y", [2, 4])],
        [weight("w", [4])],
      ),
    );
    const original = await modelBytes(converted);
    await convertFloat16(converted, {}, arena);
    // Neither Cast has two types any more.
    expect(converted.graph.nodes.map(({ opType }) => opType)).toEqual([
      "Identity",
      "Relu",
      "Identity",
      "Mul",
    ]);
    const bytes = await modelBytes(converted);
    const inputs = await inputsFor(original);
    for (const [, runtime] of RUNTIMES) {
      const expected = await run(runtime, original, inputs);
      const actual = await run(runtime, bytes, inputs);
      expect(relativeError(expected["y"] ?? [], actual["y"] ?? [])).toBeLessThan(2e-3);
    }
  });
});

describe("constants", () => {
  test("a small one that both precisions read is stored in both", async () => {
    const converted = model(
      graph(
        [makeNode("Max", ["x", "third"], ["m"]), makeNode("Mul", ["m", "third"], ["y"])],
        [value("x", [2])],
        [value("y", [2])],
        [makeFloat32("third", [1 / 3])],
      ),
    );
    await convertFloat16(converted, {}, arena);
    expect(converted.graph.initializers.get("third")?.dataType).toBe(float32);
    const copy = converted.graph.nodes.find(({ opType }) => opType === "Constant");
    expect(copy?.outputs).toEqual(["third_cast_to_fp16"]);
  });

  test("one that only float32 nodes read changes only when forced", async () => {
    for (const force of [false, true]) {
      const converted = blockedChain();
      await convertFloat16(converted, { force_fp16_initializers: force }, arena);
      expect(converted.graph.initializers.get("c")?.dataType).toBe(force ? float16 : float32);
    }
  });
});

describe("options", () => {
  test("names that the model does not have are errors with the nearest ones", async () => {
    const run = (options: object) => convertFloat16(blockedChain(), options, arena);
    await expect(run({ node_block_list: ["secnd"] })).rejects.toThrow(UnknownNameError);
    await expect(run({ node_block_list: ["secnd"] })).rejects.toThrow('nearest: "second"');
    await expect(run({ keep_io_types: ["z"] })).rejects.toThrow('no input or output "z"');
    await expect(run({ op_block_list: ["Maxx"] })).rejects.toThrow('nearest: "Max"');
  });

  test("a blocked op type need not occur in the model", async () => {
    const converted = blockedChain();
    const report = await convertFloat16(converted, { op_block_list: ["Resize"] }, arena);
    expect(report.changed.map(({ name }) => name)).toEqual(["w", "c"]);
    expect(casts(converted.graph)).toEqual([]);
  });

  test("bounds outside float16 are refused", async () => {
    const run = (options: object) => convertFloat16(blockedChain(), options, arena);
    await expect(run({ min_positive_val: 1e-9 })).rejects.toThrow("min_positive_val is 1e-9");
    await expect(run({ max_finite_val: 7e4 })).rejects.toThrow("max_finite_val is 70000");
    await expect(run({ max_finite_val: 1e-8 })).rejects.toThrow(RangeError);
    await expect(run({ dtype: "float8" })).rejects.toThrow('dtype is "float8"');
  });

  test("a model below opset 7 is refused", async () => {
    const old = model(graph([], [], []), 6);
    await expect(convertFloat16(old, {}, arena)).rejects.toThrow(
      "needs opset 7, the model imports 6",
    );
    importOpset(old, "", 7);
    expect((await convertFloat16(old, {}, arena)).changed).toEqual([]);
  });
});
