import { expect, it } from "vitest";

import { checkAllLabels, checkLabels } from "../../../src/data/check-labels.ts";
import type { DatasetField } from "../../../src/data/dataset.ts";
import { bytesOf } from "../../../src/data/numbers.ts";
import { MemoryRows } from "../../../src/data/rows.ts";

const RANGE = { classes: 3, ignoreIndex: -100 };
const PLACE = { first: 5, rows: "dataset_a" };

function source(field: DatasetField, values: BigInt64Array<ArrayBuffer>): MemoryRows {
  const bytes = new Map([[field.name, bytesOf(values)]]);
  const [width = 1] = field.shape;
  return new MemoryRows({ fields: [field], rows: values.length / width }, bytes);
}

it("labels below the class count and the ignored one pass, in integers and in floats", () => {
  const integers = Int32Array.of(0, 2, -100);
  checkLabels({ name: "y", dtype: "int32", shape: [] }, bytesOf(integers), RANGE, PLACE);
  const floats = Float32Array.of(1, 2, -100);
  checkLabels({ name: "y", dtype: "float32", shape: [] }, bytesOf(floats), RANGE, PLACE);
});

it.each([
  ["the class count itself", BigInt64Array.of(0n, 1n, 3n), [], "int64", /"y" is 3 in row 7 of/],
  ["a negative one", BigInt64Array.of(-1n), [], "int64", /is -1 in row 5 of dataset_a: the model/],
  ["a fraction", Float32Array.of(1, 0.5), [], "float32", /is 0.5 in row 6 .* has 3 classes/],
  [
    "one of a row's",
    Uint8Array.of(0, 1, 2, 9),
    [2],
    "uint8",
    /is 9 in row 6 .* are 0 to 2, or -100/,
  ],
] as const)("%s is named with its row, value and the classes", (_, values, shape, dtype, text) => {
  const field = { name: "y", dtype, shape: [...shape] };
  expect(() => checkLabels(field, bytesOf(values), RANGE, PLACE)).toThrow(text);
});

it("a field is looked through piece by piece, its rows counted from the first", async () => {
  const field: DatasetField = { name: "y", dtype: "int64", shape: [] };
  const labels = new BigInt64Array(300_000);
  expect(await checkAllLabels(source(field, labels), "y", RANGE, "dataset_a")).toBe(true);
  labels[299_999] = 3n;
  await expect(checkAllLabels(source(field, labels), "y", RANGE, "dataset_a")).rejects.toThrow(
    /row 299999/,
  );
});

it("a field of more than 8 MiB is left to those who read it", async () => {
  const field: DatasetField = { name: "y", dtype: "int64", shape: [2] };
  const labels = new BigInt64Array(2 ** 20 + 2).fill(7n);
  expect(await checkAllLabels(source(field, labels), "y", RANGE, "dataset_a")).toBe(false);
});
