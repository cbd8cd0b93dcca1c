import { describe, expect, test } from "vitest";
import { makeFloat, makeInt, makeInts, makeString } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, opsetVersion } from "../../../src/graph/build.ts";
import { cloneModel } from "../../../src/graph/clone.ts";
import { OnnxError } from "../../../src/onnx/errors.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { liftOpset } from "../../../src/opset/lift.ts";
import { info, model, node } from "./models.ts";

/** Lifting fails with this message and leaves the model as it was. */
async function refuses(subject: Model, target: number, message: RegExp): Promise<void> {
  const before = await modelBytes(cloneModel(subject));
  const failure = await liftOpset(subject, target).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(OnnxError);
  expect(failure).toMatchObject({ code: "unsupported", message: expect.stringMatching(message) });
  expect(await modelBytes(subject)).toEqual(before);
}

describe("what cannot be lifted is refused, and the model stays as it was", () => {
  test("a broadcast along an axis of unknown rank", async () => {
    const attributes = [makeInt("broadcast", 1), makeInt("axis", 1)];
    const add = makeNode("Add", ["a", "b"], ["y"], { name: "shift", attributes });
    // The second node alone cannot be lifted: the first must not be changed either.
    const squeeze = node("Squeeze", "c", "a", makeInts("axes", [0]));
    await refuses(
      model(6, [squeeze, add], [info("c"), info("b", [3])]),
      13,
      /Add "shift" cannot be lifted to opset 7: the rank of "a" is not known/,
    );
  });

  test("a bound of Clip for data of unknown type", async () => {
    const nodes = [node("Custom", "x", "c"), node("Clip", "c", "y", makeFloat("min", 0))];
    const subject = model(10, nodes, [info("x", [2])]);
    if (nodes[0]) nodes[0].domain = "custom";
    await refuses(subject, 13, /Clip "y" .*: the element type of "c" is not known/);
  });

  test("training mode before opset 7", async () => {
    await refuses(model(6, [node("Dropout", "x")], [info("x", [2])]), 13, /is_test is 0/);
    const normalization = node("BatchNormalization", "x s b m v");
    const inputs = [info("x", [1, 2, 3]), ...["s", "b", "m", "v"].map((name) => info(name, [2]))];
    await refuses(model(6, [normalization], inputs), 13, /batch's statistics/);
  });

  test("statistics of the batch that opset 14 no longer gives", async () => {
    const inputs = [info("x", [1, 2, 3]), ...["s", "b", "m", "v"].map((name) => info(name, [2]))];
    const nodes = [node("BatchNormalization", "x s b m v", "y a c d e")];
    await refuses(model(9, nodes, inputs, { outputs: [info("d")] }), 14, /no counterpart/);
  });

  test("an experimental operator without a counterpart", async () => {
    const unit = node("GRUUnit", "h u w d");
    await refuses(
      model(
        7,
        [unit],
        ["h", "u", "w", "d"].map((name) => info(name, [1, 2, 3])),
      ),
      13,
      /GRUUnit "y" .* it was removed/,
    );
  });

  test("Scan with sequence lengths", async () => {
    const body = model(8, [node("Identity", "a", "b")], [info("a")], {
      outputs: [info("b")],
    }).graph;
    const scan = node("Scan", "l x", "y", makeInt("num_scan_inputs", 1), {
      name: "body",
      type: "graph",
      value: body,
    });
    await refuses(
      model(8, [scan], [info("l", [1], 7), info("x", [1, 2, 3])]),
      9,
      /lengths of their own/,
    );
  });

  test("attributes that a function's caller gives", async () => {
    const softmax = node("Softmax", "x", "y", {
      name: "axis",
      type: "none",
      typeCode: 2,
      refAttrName: "axis",
    });
    const subject = model(
      11,
      [makeNode("f", ["x"], ["y"], { domain: "local" })],
      [info("x", [2, 3])],
    );
    subject.functions.push({
      name: "f",
      domain: "local",
      overload: "",
      inputs: ["x"],
      outputs: ["y"],
      attributeNames: ["axis"],
      attributeDefaults: [],
      nodes: [softmax],
      opsetImports: [{ domain: "", version: 11 }],
      valueInfos: [],
      docString: "",
      metadata: [],
    });
    await refuses(subject, 13, /attributes from its function's/);
  });

  test("an opset that is not classified is no target", async () => {
    const subject = model(11, [node("Relu", "x")], [info("x", [2])]);
    await expect(liftOpset(subject, 22)).rejects.toThrow(/opset: 22 is not an opset from 1 to 21/);
    await expect(liftOpset(subject, 12.5)).rejects.toThrow(RangeError);
  });
});

describe("versions", () => {
  test("a model at the target or above stays as it is", async () => {
    const subject = model(17, [node("Relu", "x")], [info("x", [2])]);
    const before = await modelBytes(subject);
    expect(await liftOpset(subject, 13)).toEqual([]);
    expect(await modelBytes(subject)).toEqual(before);
  });

  test("a model without ai.onnx imports it", async () => {
    const subject = model(
      1,
      [makeNode("Scaler", ["x"], ["y"], { domain: "ai.onnx.ml" })],
      [info("x", [2])],
    );
    subject.opsetImports = [{ domain: "ai.onnx.ml", version: 1 }];
    expect(await liftOpset(subject, 13)).toEqual(["opset 13 imported"]);
    expect(opsetVersion(subject)).toBe(13);
    expect(opsetVersion(subject, "ai.onnx.ml")).toBe(1);
  });

  test("the IR version is raised to the opset's; initializers are no longer inputs", async () => {
    const weight = makeFloat32("w", [1, 2]);
    const subject = model(8, [node("Add", "x w")], [info("x", [2]), info("w", [2])], {
      initializers: [weight],
      irVersion: 3,
    });
    expect(await liftOpset(subject, 13)).toEqual([
      "opset 8 lifted to 13",
      "IR version 3 raised to 7",
    ]);
    expect(subject.irVersion).toBe(7);
    expect(subject.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(subject.graph.initializers.has("w")).toBe(true);
  });

  test("from IR version 4 on initializers that callers may override stay inputs", async () => {
    const subject = model(9, [node("Add", "x w")], [info("x", [2]), info("w", [2])], {
      initializers: [makeFloat32("w", [1, 2])],
      irVersion: 4,
    });
    await liftOpset(subject, 13);
    expect(subject.graph.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
  });
});

describe("what a rewrite keeps", () => {
  test("Softmax over the last axis is one node still", async () => {
    const subject = model(
      9,
      [node("Softmax", "x", "y", makeInt("axis", 1))],
      [info("x", ["N", 5])],
    );
    await liftOpset(subject, 13);
    expect(subject.graph.nodes.map(({ opType }) => opType)).toEqual(["Softmax"]);
  });

  test("the end of a slice stays INT64_MAX", async () => {
    const whole = 2n ** 63n - 1n;
    const slice = node("Slice", "x", "y", makeInts("starts", [1]), makeInts("ends", [whole]));
    const subject = model(9, [slice], [info("x", [4])]);
    await liftOpset(subject, 13);
    const ends = subject.graph.initializers.get(subject.graph.nodes[0]?.inputs[2] ?? "");
    const bytes = new Uint8Array(8);
    await ends?.data.read(0, bytes);
    expect(new BigInt64Array(bytes.buffer)[0]).toBe(whole);
  });

  test("new names do not meet old ones", async () => {
    const nodes = [node("Squeeze", "y_axes", "y", makeInts("axes", [0]))];
    const subject = model(11, nodes, [info("y_axes", [1, 2])]);
    await liftOpset(subject, 13);
    expect(subject.graph.nodes[0]?.inputs).toEqual(["y_axes", "y_axes_1"]);
  });

  test("notes count what was rewritten, by op type", async () => {
    const nodes = [
      node("Squeeze", "x", "a", makeInts("axes", [0])),
      node("Squeeze", "a", "b", makeInts("axes", [0])),
      node("Pad", "b", "c", makeInts("pads", [1, 1]), makeString("mode", "edge")),
      node("Relu", "c"),
    ];
    const subject = model(10, nodes, [info("x", [1, 1, 2])], {
      initializers: [makeInt64("unused", [1])],
    });
    expect(await liftOpset(subject, 13)).toEqual([
      "opset 10 lifted to 13",
      "rewritten: 1 Pad, 2 Squeeze",
    ]);
  });
});
