import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { makeFloat, makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeInt64, makeNode } from "../../../src/graph/build.ts";
import { type Inferred, inferTypes } from "../../../src/graph/infer.ts";
import { Scope } from "../../../src/graph/scope.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Attribute, Graph, Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { cpuMs } from "../cpu-time.ts";
import { CASES, caseModel, decoded } from "../opset/cases.ts";
import { info, model, node } from "../opset/models.ts";

const ROOT = `${import.meta.dirname}/../../..`;

/** The types of the main graph's values, by name. */
async function inferred(subject: Model): Promise<{
  type: (name: string) => ReturnType<Inferred["elementType"]>;
  shape: (name: string) => ReturnType<Inferred["shape"]>;
  value: (name: string) => ReturnType<Inferred["value"]>;
}> {
  const types = await inferTypes(subject);
  const scope = Scope.of(subject.graph);
  return {
    type: (name) => types.elementType(scope, name),
    shape: (name) => types.shape(scope, name),
    value: (name) => types.value(scope, name),
  };
}

const body = (name: string, value: Graph): Attribute => ({ name, type: "graph", value });

test.each(CASES.map((entry) => [entry.name, entry] as const))(
  "%s: types follow from the inputs as ONNX Runtime answers",
  async (_, entry) => {
    const subject = await caseModel(entry);
    for (const output of subject.graph.outputs) output.type = undefined;
    const { type, shape } = await inferred(subject);
    for (const [name, encoded] of Object.entries(entry.outputs)) {
      const { dataType, dims } = decoded(encoded);
      expect(type(name), name).toBe(dataType);
      const known = shape(name);
      if (!known) continue;
      expect(known.length).toBe(dims.length);
      known.forEach((dim, axis) => {
        if (typeof dim === "number") expect(dim).toBe(dims[axis]);
      });
    }
  },
);

describe("real models", async () => {
  const goldens = JSON.parse(
    await readFile(`${ROOT}/test/goldens/opset/types.json`, "utf8"),
  ) as Record<string, string>;

  test.each(Object.entries(goldens))(
    "%s: the element type of every value is known, and equal to onnx's, as are ranks",
    async (path, golden) => {
      const bytes = new Uint8Array(await readFile(`${ROOT}/node_modules/${path}`));
      const subject = await readModel(new MemorySource(bytes));
      subject.graph.valueInfos = [];
      const types = await inferTypes(subject);
      const actual: [number | undefined, number | undefined][] = [];
      const walk = (scope: Scope): void => {
        for (const each of scope.graph.nodes) {
          for (const child of scope.children) if (child.owner === each) walk(child);
          for (const name of each.outputs.filter(Boolean)) {
            actual.push([types.elementType(scope, name), types.shape(scope, name)?.length]);
          }
        }
      };
      walk(Scope.of(subject.graph));
      const expected = golden.split(" ").map((entry) => entry.split(":"));
      expect(actual.length).toBe(expected.length);
      expected.forEach(([type, rank], i) => {
        if (type === "?") expect(actual[i]?.[0]).toBeDefined();
        else expect(actual[i]?.[0]).toBe(Number(type));
        if (rank !== "?") expect(actual[i]?.[1]).toBe(Number(rank));
      });
    },
  );
});

describe("shapes that the graph computes", () => {
  test("symbols pass through Shape, Gather, Concat and Reshape", async () => {
    const subject = model(
      13,
      [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "batch", makeInt("axis", 0)),
        node("Unsqueeze", "batch zeros", "b1"),
        node("Concat", "b1 rest", "target", makeInt("axis", 0)),
        node("Reshape", "x target"),
      ],
      [info("x", ["N", 8, 4, 4])],
      {
        initializers: [
          makeInt64("zero", [0], true),
          makeInt64("zeros", [0]),
          makeInt64("rest", [-1, 16]),
        ],
      },
    );
    const { shape, value } = await inferred(subject);
    expect(value("target")).toEqual(["N", -1, 16]);
    expect(shape("y")).toEqual(["N", 8, 16]);
  });

  test("arithmetic on sizes is followed; on symbols only where it changes nothing", async () => {
    const subject = model(
      13,
      [
        node("Shape", "x", "s"),
        node("Mul", "s ones", "same"),
        node("Div", "s halves", "half"),
        node("ConstantOfShape", "same", "full"),
        node("ConstantOfShape", "half"),
      ],
      [info("x", ["N", 7])],
      { initializers: [makeInt64("ones", [1, 1]), makeInt64("halves", [2, 2])] },
    );
    const { shape } = await inferred(subject);
    expect(shape("full")).toEqual(["N", 7]);
    expect(shape("y")).toEqual([undefined, 3]);
  });

  test("a slice of a shape keeps what it names", async () => {
    const subject = model(
      9,
      [
        node("Shape", "x", "s"),
        node("Slice", "s", "t", makeInts("starts", [-2]), makeInts("ends", [2 ** 31])),
      ],
      [info("x", [1, 3, "H", "W"])],
    );
    const { value, shape } = await inferred(subject);
    expect(value("t")).toEqual(["H", "W"]);
    expect(shape("t")).toEqual([2]);
  });

  test("one open dimension is what is left, symbols cancelled", async () => {
    const shapes = [
      [
        ["N", "T", 64],
        [0, 0, 4, -1],
        ["N", "T", 4, 16],
      ],
      [
        ["N", 2, 3],
        [-1, 6],
        ["N", 6],
      ],
      [
        ["N", "T", 2],
        [-1, 2],
        ["N·T", 2],
      ],
      [
        [12, "N", 32],
        [12, -1, 8],
        [12, "4·N", 8],
      ],
      [
        ["4·N", 12, 8],
        [-1, 4, 12, 8],
        ["N", 4, 12, 8],
      ],
      [
        ["T", "N"],
        [-1, 2],
        [undefined, 2],
      ],
      [
        [undefined, 4],
        [0, -1, 2],
        [undefined, 2, 2],
      ],
    ] as const;
    for (const [source, target, expected] of shapes) {
      const subject = model(13, [node("Reshape", "x t")], [info("x", [...source])], {
        initializers: [makeInt64("t", [...target])],
      });
      expect((await inferred(subject)).shape("y")).toEqual(expected);
    }
  });
});

test("products of symbols do not grow without end", async () => {
  const squares = Array.from({ length: 40 }, (_, i) => [
    node("Shape", i === 0 ? "x" : `full${i}`, `s${i}`),
    node("ReduceProd", `s${i}`, `p${i}`),
    node("Concat", `p${i} p${i}`, `t${i}`, makeInt("axis", 0)),
    node("ConstantOfShape", `t${i}`, i === 39 ? "y" : `full${i + 1}`),
  ]);
  const subject = model(13, squares.flat(), [info("x", ["N", 2])]);
  const { shape } = await inferred(subject);
  expect(shape("full1")).toEqual(["2·N", "2·N"]);
  expect(shape("full2")).toEqual(["4·N·N", "4·N·N"]);
  expect(shape("y")).toEqual([undefined, undefined]);
});

describe("broadcasting", () => {
  test.each([
    [
      ["N", 1, 4],
      [3, 1],
      ["N", 3, 4],
    ],
    [
      ["N", 4],
      ["M", 4],
      [undefined, 4],
    ],
    [
      ["N", 4],
      [1, 4],
      ["N", 4],
    ],
    [[undefined], [5], [5]],
    [[undefined], [1], [undefined]],
    [[0], [1], [0]],
  ])("%j and %j give %j", async (a, b, expected) => {
    const subject = model(13, [node("Add", "a b")], [info("a", a), info("b", b)]);
    expect((await inferred(subject)).shape("y")).toEqual(expected);
  });

  test("before opset 7 the second operand never widens the first", async () => {
    const nodes = [node("Add", "a b", "y", makeInt("broadcast", 1), makeInt("axis", 0))];
    const subject = model(6, nodes, [info("a", [3, 4]), info("b", [3])]);
    expect((await inferred(subject)).shape("y")).toEqual([3, 4]);
  });
});

describe("declared types", () => {
  test("lose to inferred ones, and fill in what is not known", async () => {
    const subject = model(
      13,
      [
        node("Relu", "x", "wrong"),
        makeNode("Secret", ["x"], ["s"], { domain: "custom" }),
        node("Abs", "s"),
      ],
      [info("x", ["N", 3])],
    );
    subject.graph.valueInfos = [
      info("wrong", [9], DataType.int64),
      info("s", [5], DataType.float16),
    ];
    const { type, shape } = await inferred(subject);
    expect([type("wrong"), shape("wrong")]).toEqual([DataType.float32, ["N", 3]]);
    expect([type("y"), shape("y")]).toEqual([DataType.float16, [5]]);
  });
});

describe("subgraphs and functions", () => {
  test("If joins its branches", async () => {
    const yes = model(13, [node("Identity", "x", "a")], []).graph;
    const no = model(13, [node("Concat", "x x", "b", makeInt("axis", 0))], []).graph;
    const subject = model(
      13,
      [node("If", "c", "y", body("then_branch", yes), body("else_branch", no))],
      [info("c", [], DataType.bool), info("x", [2, 3])],
    );
    const { type, shape } = await inferred(subject);
    expect([type("y"), shape("y")]).toEqual([DataType.float32, [undefined, 3]]);
  });

  test("a loop's state that grows has no known size, one that stays keeps it", async () => {
    const loop = model(
      13,
      [
        node("Identity", "go", "go_out"),
        node("Concat", "grows one", "grown", makeInt("axis", 0)),
        node("Add", "stays one", "same"),
        node("Identity", "same", "each"),
      ],
      [
        info("i", [], 7),
        info("go", [], 9),
        info("grows", undefined, 0),
        info("stays", undefined, 0),
      ],
      { outputs: ["go_out", "grown", "same", "each"].map((name) => ({ name, type: undefined })) },
    ).graph;
    const subject = model(
      13,
      [node("Loop", "n c a a", "g s all", body("body", loop))],
      [info("n", [], 7), info("c", [], 9), info("a", [1, 3]), info("one", [1, 3])],
    );
    const { shape, type } = await inferred(subject);
    expect(shape("g")).toEqual([undefined, 3]);
    expect(shape("s")).toEqual([1, 3]);
    expect(shape("all")).toEqual([undefined, 1, 3]);
    expect(type("all")).toBe(DataType.float32);
  });

  test("a function's outputs follow from its body; a function in itself is not followed", async () => {
    const call = (name: string, from: string, to: string) =>
      makeNode(name, [from], [to], { domain: "f" });
    const define = (
      name: string,
      nodes: ReturnType<typeof node>[],
    ): Model["functions"][number] => ({
      name,
      domain: "f",
      overload: "",
      inputs: ["p"],
      outputs: ["q"],
      attributeNames: [],
      attributeDefaults: [],
      nodes,
      opsetImports: [{ domain: "", version: 13 }],
      valueInfos: [],
      docString: "",
      metadata: [],
    });
    const subject = model(
      13,
      [call("turn", "x", "y"), call("endless", "x", "z")],
      [info("x", [2, 3])],
    );
    subject.functions = [
      define("turn", [node("Transpose", "p", "q")]),
      define("endless", [call("endless", "p", "q")]),
    ];
    const { shape } = await inferred(subject);
    expect(shape("y")).toEqual([3, 2]);
    expect(shape("z")).toBeUndefined();
  });
});

describe("odd models are inferred without a word", () => {
  test("axes beyond the rank, attributes of another type, inputs that no one makes", async () => {
    const subject = model(
      11,
      [
        node("Squeeze", "x", "a", makeInts("axes", [7])),
        node("Concat", "x x", "b", makeFloat("axis", 1)),
        node("MatMul", "nobody x", "c"),
        node("Constant", "", "d"),
        node("Reshape", "x nobody", "e"),
        node("Split", "x", "f g", makeInts("split", [-4, 1])),
        node("If", "x", "h"),
        node("Conv", "x", "i"),
        node("Gather", "x x", "j", makeInt("axis", -9)),
      ],
      [info("x", [2, 3])],
    );
    const { type, shape } = await inferred(subject);
    expect([type("a"), shape("a")]).toEqual([undefined, undefined]);
    expect(shape("f")).toEqual([undefined, 3]);
    expect(type("e")).toBe(DataType.float32);
  });

  test("a thousand functions that call each other twice end soon", async () => {
    const call = (name: string, from: string, to: string) =>
      makeNode(name, [from], [to], { domain: "f" });
    const subject = model(13, [call("f0", "x", "y")], [info("x", [2])]);
    subject.functions = Array.from({ length: 1000 }, (_, i) => ({
      name: `f${i}`,
      domain: "f",
      overload: "",
      inputs: ["p"],
      outputs: ["q"],
      attributeNames: [],
      attributeDefaults: [],
      nodes: [call(`f${i + 1}`, "p", "r"), call(`f${i + 1}`, "r", "q")],
      opsetImports: [{ domain: "", version: 13 }],
      valueInfos: [],
      docString: "",
      metadata: [],
    }));
    expect(await cpuMs(() => inferred(subject))).toBeLessThan(5000);
  });
});
