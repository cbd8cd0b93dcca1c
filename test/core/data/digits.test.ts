import { expect, it } from "vitest";
import { digitsNpz } from "../../../examples/demo/digits-dataset.ts";
import { fieldElements } from "../../../src/data/numbers.ts";
import { readAll } from "./reading.ts";

it("the demo's digits are a dataset of images and labels, each digit as often, in a mixed order", async () => {
  const { rows, fields } = await readAll(digitsNpz({ perDigit: 20 }));
  expect([rows, fields.map(({ name, dtype, shape }) => [name, dtype, shape])]).toEqual([
    200,
    [
      ["image", "float32", [1, 28, 28]],
      ["label", "int64", []],
    ],
  ]);
  const [image, label] = fields.map(({ dtype, bytes }) =>
    Array.from(fieldElements(dtype, bytes), Number),
  );
  expect(image?.reduce((least, ink) => Math.min(least, ink), 1)).toBe(0);
  expect(image?.reduce((most, ink) => Math.max(most, ink), 0)).toBe(1);
  for (let digit = 0; digit < 10; digit++) {
    expect(label?.filter((each) => each === digit)).toHaveLength(20);
  }
  expect(new Set(label?.slice(0, 40)).size).toBe(10);
  // A one has less ink than a zero, on average: images and labels belong together.
  const ink = (digit: number) => {
    const of = label?.flatMap((each, row) => (each === digit ? [row] : [])) ?? [];
    const sums = of.map(
      (row) => image?.slice(row * 784, (row + 1) * 784).reduce((a, b) => a + b, 0) ?? 0,
    );
    return sums.reduce((a, b) => a + b, 0) / of.length;
  };
  expect(ink(1)).toBeLessThan(0.6 * ink(0));
});

it("parts of the digits do not overlap, and one seed gives one file", () => {
  const part = digitsNpz({ perDigit: 3 });
  expect(digitsNpz({ perDigit: 3 })).toEqual(part);
  expect(digitsNpz({ perDigit: 3, skip: 3 })).not.toEqual(part);
  expect(() => digitsNpz({ perDigit: 3, skip: 5000 })).toThrow(/5003 samples of 0 are wanted/);
});
