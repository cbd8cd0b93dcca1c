import { describe, expect, it } from "vitest";

import { makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Dimension, Model, Node, Tensor, ValueInfo } from "../../../src/onnx/model.ts";
import { elements } from "../../../src/verify/elements.ts";
import { SyntheticInputs } from "../../../src/verify/synthetic.ts";
import { model, valueInfo } from "../runtime/models.ts";

const { float32, int64, int32, bool } = DataType;

async function feeds(of: Model, choice = 0) {
  const synthetic = await SyntheticInputs.of(of);
  return synthetic.feeds(synthetic.choices[choice] ?? expect.fail(`choice ${choice}`), 1);
}
/** Shapes of the first choice. */
async function shapes(inputs: ValueInfo[], nodes: Node[] = [], initializers: Tensor[] = []) {
  const made = await feeds(model(nodes, inputs, [], initializers));
  return Object.fromEntries(Object.entries(made).map(([name, { dims }]) => [name, dims]));
}
async function values(
  name: string,
  type: number,
  shape: Dimension[],
  nodes: Node[] = [],
  weights: Tensor[] = [],
) {
  const made = await feeds(model(nodes, [valueInfo(name, type, shape)], [], weights));
  return Array.from(elements(made[name] ?? expect.fail(name)));
}
const table = (name: string, ...dims: number[]): Tensor =>
  makeTensor(name, float32, dims, new Uint8Array(dims.reduce((a, b) => a * b, 4)));

describe("shapes", () => {
  it("images are 64 high and wide, batches 1, channels as the convolution wants them", async () => {
    const conv = makeNode("Conv", ["x", "w"], ["y"], { attributes: [makeInt("group", 2)] });
    expect(
      await shapes(
        [valueInfo("x", float32, ["N", undefined, "H", "W"])],
        [conv],
        [table("w", 4, 5, 3, 3)],
      ),
    ).toEqual({
      x: [1, 10, 64, 64],
    });
  });

  it("channels last are seen through a Transpose", async () => {
    const nodes = [
      makeNode("Transpose", ["x"], ["t"], { attributes: [makeInts("perm", [0, 3, 1, 2])] }),
      makeNode("Conv", ["t", "w"], ["y"]),
    ];
    expect(
      await shapes([valueInfo("x", float32, [undefined, undefined, undefined, undefined])], nodes, [
        table("w", 4, 7, 3, 3),
      ]),
    ).toEqual({
      x: [1, 64, 64, 7],
    });
  });

  it("the same symbol is the same number, and a weight's demand reaches all its uses", async () => {
    const inputs = [
      valueInfo("a", float32, ["batch", "features"]),
      valueInfo("b", float32, ["features"]),
    ];
    expect(
      await shapes(inputs, [makeNode("MatMul", ["a", "w"], ["y"])], [table("w", 24, 3)]),
    ).toEqual({
      a: [1, 24],
      b: [24],
    });
  });

  it("an input without a shape takes its rank from its use", async () => {
    const gemm = makeNode("Gemm", ["x", "w"], ["y"], { attributes: [makeInt("transB", 1)] });
    expect(await shapes([valueInfo("x", float32)], [gemm], [table("w", 3, 9)])).toEqual({
      x: [1, 9],
    });
  });

  it("a decoder's cache is empty and its mask spans cache and tokens", async () => {
    const inputs = [
      valueInfo("input_ids", int64, ["batch_size", "sequence_length"]),
      valueInfo("attention_mask", int64, ["batch_size", "past_sequence_length + sequence_length"]),
      valueInfo("past_key_values.0.key", float32, ["batch_size", 4, "past_sequence_length", 8]),
    ];
    expect(await shapes(inputs)).toEqual({
      input_ids: [1, 16],
      attention_mask: [1, 16],
      "past_key_values.0.key": [1, 4, 0, 8],
    });
  });

  it("open axes of a recurrent state are the batch", async () => {
    expect(await shapes([valueInfo("state", float32, [2, undefined, 128])])).toEqual({
      state: [2, 1, 128],
    });
  });

  it("initializers that are inputs are not fed", async () => {
    const inputs = [valueInfo("x", float32, [1, 4]), valueInfo("w", float32, [4, 4])];
    expect(await shapes(inputs, [], [table("w", 4, 4)])).toEqual({ x: [1, 4] });
  });

  it("the batch of a Reshape is tried second", async () => {
    const nodes = [makeNode("Reshape", ["x", "shape"], ["y"])];
    const fixed = model(
      nodes,
      [valueInfo("x", float32, ["N", 6])],
      [],
      [makeInt64("shape", [5, 6])],
    );
    expect((await feeds(fixed, 1))["x"]?.dims).toEqual([5, 6]);
  });

  it("pictures are 32 high and wide for a net whose convolutions cost much, strides considered", async () => {
    const input = valueInfo("x", float32, [1, 64, "H", "W"]);
    const sizes = async (stride: number) => {
      const strides = makeInts("strides", [stride, stride]);
      const conv = makeNode("Conv", ["x", "w"], ["y"], { attributes: [strides] });
      const made = await feeds(model([conv], [input], [], [table("w", 192, 64, 3, 3)]));
      return made["x"]?.dims;
    };
    expect(await sizes(1)).toEqual([1, 64, 32, 32]);
    expect(await sizes(2)).toEqual([1, 64, 64, 64]);
  });

  it("inputs that are too large are an error", async () => {
    await expect(shapes([valueInfo("x", float32, [1, 3, 4096, 4096])])).rejects.toThrow(
      "50331648 elements",
    );
  });
});

describe("values", () => {
  it("indices stay below the table's rows, through Cast and Unsqueeze", async () => {
    const nodes = [
      makeNode("Cast", ["x"], ["c"], { attributes: [makeInt("to", int64)] }),
      makeNode("Unsqueeze", ["c", "axes"], ["u"]),
      makeNode("Gather", ["w", "u"], ["y"]),
    ];
    const found = await values("x", int32, [64], nodes, [table("w", 3, 2), makeInt64("axes", [0])]);
    expect(new Set(found)).toEqual(new Set([0, 1, 2]));
  });

  it("masks, segments, positions, rates and lengths are what their names say", async () => {
    expect(await values("attention_mask", int64, [1, 3])).toEqual([1, 1, 1]);
    expect(await values("token_type_ids", int64, [1, 3])).toEqual([0, 0, 0]);
    expect(await values("position_ids", int64, [2, 3])).toEqual([0, 1, 2, 0, 1, 2]);
    expect(await values("sr", int64, [])).toEqual([16000]);
    const both = [valueInfo("x", float32, [1, 40, 8]), valueInfo("x_lengths", int64, [1])];
    const made = await feeds(model([], both, []));
    expect(Array.from(elements(made["x_lengths"] ?? expect.fail()))).toEqual([40]);
  });

  it("floats have both signs and about unit variance, the same for the same seed", async () => {
    const found = await values("x", float32, [1, 3, 32, 32]);
    const mean = found.reduce((sum, v) => sum + v, 0) / found.length;
    const power = found.reduce((sum, v) => sum + v * v, 0) / found.length;
    expect(Math.abs(mean)).toBeLessThan(0.4);
    expect(power).toBeGreaterThan(0.4);
    expect(power).toBeLessThan(3);
    expect(await values("x", float32, [1, 3, 32, 32])).toEqual(found);
  });

  it("booleans are mixed, a scalar one is false", async () => {
    expect(new Set(await values("flags", bool, [32]))).toEqual(new Set([0, 1]));
    expect(await values("use_cache_branch", bool, [1])).toEqual([0]);
  });

  it("strings and sequences are an error that names the input", async () => {
    await expect(
      SyntheticInputs.of(model([], [valueInfo("text", DataType.string, [1])], [])),
    ).rejects.toThrow('the input "text" holds string');
    const opaque: ValueInfo = { name: "list", type: { kind: "opaque", bytes: new Uint8Array() } };
    await expect(SyntheticInputs.of(model([], [opaque], []))).rejects.toThrow(
      '"list" is not a tensor',
    );
  });

  it("an embedding's scale does not count as a table", async () => {
    const nodes = [makeNode("Mul", ["x", "s"], ["y"])];
    expect(Math.max(...(await values("x", int64, [1, 500], nodes, [makeFloat32("s", [1])])))).toBe(
      7,
    );
  });
});
