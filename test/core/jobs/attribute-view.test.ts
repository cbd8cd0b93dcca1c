/** @file Attributes as the graph route shows them. */
import { expect, it } from "vitest";
import {
  makeFloat,
  makeInt,
  makeInts,
  makeString,
  makeTensorAttribute,
} from "../../../src/graph/attributes.ts";
import { makeFloat32 } from "../../../src/graph/build.ts";
import { viewAttribute } from "../../../src/jobs/attribute-view.ts";

it("values are JSON", () => {
  expect(viewAttribute(makeInts("pads", [1, 2n]))).toEqual({
    name: "pads",
    type: "ints",
    value: [1, 2],
  });
  expect(viewAttribute(makeString("mode", "nearest")).value).toBe("nearest");
  expect(viewAttribute(makeFloat("alpha", 0.5)).value).toBe(0.5);
});

it("what JSON has no number for is text", () => {
  expect(viewAttribute(makeInt("end", 2n ** 63n - 1n)).value).toBe("9223372036854775807");
  expect(viewAttribute(makeFloat("fill", -Infinity)).value).toBe("-Infinity");
});

it("tensors are their sizes", () => {
  const tensor = makeFloat32("w", [1, 2, 3, 4, 5, 6], [2, 3]);
  expect(viewAttribute(makeTensorAttribute("value", tensor)).value).toEqual({
    data_type: "float32",
    dims: [2, 3],
    bytes: 24,
  });
});

it("long lists and texts end after 100", () => {
  expect(viewAttribute(makeInts("axes", Array(1000).fill(1))).value).toHaveLength(100);
  expect(viewAttribute(makeString("body", "é".repeat(1000))).value).toBe("é".repeat(100));
});

it("an attribute that refers to its function's says so", () => {
  expect(viewAttribute({ ...makeInt("axis", 0), refAttrName: "axis" }).value).toEqual({
    attribute: "axis",
  });
});
