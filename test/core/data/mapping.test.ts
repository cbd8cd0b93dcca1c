import { describe, expect, it } from "vitest";
import type { DatasetField } from "../../../src/data/dataset.ts";
import { checkAlike, mapFields, type MappingOptions } from "../../../src/data/mapping.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Dimension, ValueInfo } from "../../../src/onnx/model.ts";

const field = (name: string, dtype: DatasetField["dtype"], ...shape: number[]): DatasetField => ({
  name,
  dtype,
  shape,
});

const input = (name: string, type: keyof typeof DataType, shape?: Dimension[]): ValueInfo => ({
  name,
  type: { kind: "tensor", elementType: DataType[type], shape },
});

const image = field("image", "uint8", 28, 28);
const label = field("label", "int64");
const pixels = input("x", "float32", ["batch", 1, 28, 28]);

/** Fields by input, `label:` the label's. */
function map(fields: DatasetField[], inputs: ValueInfo[], options: Partial<MappingOptions> = {}) {
  const mapping = mapFields({ fields }, inputs, { labelled: true, ...options });
  return {
    ...Object.fromEntries(mapping.inputs.map((each) => [each.input, each.field.name])),
    "label:": mapping.label?.name,
  };
}

const refusal = (...parameters: Parameters<typeof map>): string => {
  try {
    return JSON.stringify(map(...parameters));
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};

describe("without a word", () => {
  it("fields feed the inputs of their names, and label is the label", () => {
    const fields = [field("b", "int64", 4), field("a", "int64", 4), label];
    const inputs = [input("a", "int64", [undefined, 4]), input("b", "int64", [undefined, 4])];
    expect(map(fields, inputs)).toEqual({ a: "a", b: "b", "label:": "label" });
  });

  it("an input of another name takes the only field that fits; a row may be reshaped", () => {
    expect(map([image, label], [pixels])).toEqual({ x: "image", "label:": "label" });
    expect(map([image, field("species", "uint8")], [pixels])).toEqual({
      x: "image",
      "label:": "species",
    });
  });

  it("two fields that fit are a question", () => {
    const other = field("other", "float32", 784);
    expect(refusal([image, other, label], [pixels])).toBe(
      'dataset_mismatch: data: input "x" float32 [batch, 1, 28, 28] has no field of its name, and "image" uint8 [28, 28], "other" float32 [784] all fit: say which feeds it',
    );
  });

  it("two fields that may be the label are a question", () => {
    const fields = [image, field("species", "uint8"), field("weight", "float32")];
    expect(refusal(fields, [pixels])).toMatch(/2 are left \("species" uint8 \[\], "weight"/);
    expect(map(fields, [pixels], { label: "species" })).toMatchObject({ "label:": "species" });
    expect(map(fields, [pixels], { labelled: false })).toEqual({ x: "image", "label:": undefined });
  });

  it("the label's field feeds no input", () => {
    const fields = [field("label", "float32", 4), field("other", "float32", 4)];
    expect(map(fields, [input("x", "float32", [undefined, 4])])).toEqual({
      x: "other",
      "label:": "label",
    });
    expect(map(fields, [input("label", "float32", [undefined, 4])])).toEqual({
      label: "other",
      "label:": "label",
    });
  });
});

describe("said", () => {
  it("a field feeds the input, and the input's own name does not matter", () => {
    const fields = [field("x", "float32", 784), image, label];
    expect(map(fields, [pixels], { inputs: { x: "image" } })).toMatchObject({ x: "image" });
  });

  it("an autoencoder's input may be its label", () => {
    const options = { inputs: { x: "image" }, label: "image" };
    expect(map([image], [pixels], options)).toEqual({ x: "image", "label:": "image" });
  });

  it("a scale is for floats", () => {
    const choice = { inputs: { x: { field: "image", scale: 1 / 255 } } };
    const { inputs } = mapFields({ fields: [image, label] }, [pixels], {
      labelled: true,
      ...choice,
    });
    expect(inputs[0]?.scale).toBe(1 / 255);
    const ids = input("x", "int64", [undefined, 28, 28]);
    expect(refusal([image, label], [ids], choice)).toMatch(/only floats are scaled/);
    expect(
      refusal([image, label], [pixels], { inputs: { x: { field: "image", scale: 0 } } }),
    ).toMatch(/a scale of 0 is none/);
  });

  it("names that are not there are refused with the nearest", () => {
    expect(refusal([image, label], [pixels], { inputs: { y: "image" } })).toMatch(
      /the model has no input "y"; (nearest|there are): "x"/,
    );
    expect(refusal([image, label], [pixels], { inputs: { x: "imag" } })).toMatch(
      /no field "imag"; nearest: "image"/,
    );
    expect(refusal([image, label], [pixels], { label: "lable" })).toMatch(/nearest: "label"/);
  });
});

describe("what does not fit names both sides", () => {
  const given = (from: DatasetField, to: ValueInfo) =>
    refusal([{ ...from, name: to.name }], [to], { labelled: false });

  it.each([
    [field("x", "float32", 784), pixels, "taken"],
    [field("x", "bool", 1, 28, 28), pixels, "taken"],
    [field("x", "uint8", 7), input("x", "int64", ["n", "length"]), "taken"],
    [field("x", "float32", 3, 9), input("x", "float32"), "taken"],
    [field("x", "bool", 2), input("x", "bool", [undefined, 2]), "taken"],
    [field("x", "uint8", 27, 28), pixels, "a row needs 784 elements and has 756"],
    [field("x", "float32", 3), input("x", "float32", ["n", 4, "t"]), "a row needs [4, t]"],
    [field("x", "float32", 5, 2), input("x", "float32", ["n", 4, "t"]), "a row needs [4, t]"],
    [
      field("x", "float32", 7),
      input("x", "int64", ["n", 7]),
      "float32 as int64 would lose fractions",
    ],
    [field("x", "int64", 7), input("x", "bool", ["n", 7]), "int64 is not taken for bool"],
    [field("x", "bool", 7), input("x", "int64", ["n", 7]), "bool is not taken for int64"],
    [field("x", "float32"), input("x", "float32", []), "the input is a scalar"],
    [field("x", "float32", 1), input("x", "string", ["n", 1]), "the input takes text"],
  ])("%j for %j: %s", (from, to, outcome) => {
    const message = given(from, to);
    if (outcome === "taken") expect(message).toBe('{"x":"x"}');
    else {
      expect(message).toContain(
        `"x" ${from.dtype} [${from.shape.join(", ")}] does not fit input "x"`,
      );
      expect(message).toContain(outcome);
    }
  });
});

it("a second dataset has the same fields of the same types", () => {
  const first = { fields: [image, label] };
  expect(() => checkAlike(first, { fields: [label, image] }, ["image", "label"])).not.toThrow();
  expect(() => checkAlike(first, { fields: [image] }, ["image"])).not.toThrow();
  expect(() => checkAlike(first, { fields: [image] }, ["image", "label"])).toThrow(
    'the second dataset has no field "label"',
  );
  const short = { fields: [field("image", "int8", 28, 28), label] };
  expect(() => checkAlike(first, short, ["image"])).toThrow(
    'field "image" uint8 [28, 28] is "image" int8 [28, 28] in the second dataset',
  );
});
