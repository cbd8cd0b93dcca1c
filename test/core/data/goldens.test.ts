import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseFields, parseTypes } from "../../../src/data/field-spec.ts";
import type { ReadOptions } from "../../../src/data/read-dataset.ts";
import { GOLDENS, golden, readAll, refusal, sha256 } from "./reading.ts";

const expected = JSON.parse(readFileSync(`${GOLDENS}expected.json`, "utf8")) as Record<
  string,
  { rows: number; fields: { name: string; dtype: string; shape: number[]; sha256: string }[] }
>;

const OPTIONS: Record<string, Partial<ReadOptions>> = {
  "table.csv": {
    fields: parseFields("a,bc:b,bc:c,label"),
    types: parseTypes("a:float32,bc:float64"),
  },
  "pixels.parquet": {
    fields: parseFields("image[3x4]:pixel_*,label"),
    types: parseTypes("label:float32"),
  },
};

it.each(Object.keys(expected))("%s is read as its writer has it, bit for bit", async (file) => {
  const { rows, fields } = await readAll(golden(file), OPTIONS[file]);
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
  expect({
    rows,
    fields: fields.map(({ bytes, ...field }) => ({ ...field, sha256: sha256(bytes) })).sort(byName),
  }).toEqual({ rows: expected[file]?.rows, fields: expected[file]?.fields.toSorted(byName) });
});

const REFUSED: Record<string, RegExp> = {
  "refused-objects.npy": /^invalid_dataset: "data": npy: element type "\|O" is Python objects/,
  "refused-text.npy": /element type "<U3" is text; save numbers/,
  "refused-big-endian.npy": /element type ">i4" is big-endian/,
  "refused-records.npy": /named columns/,
  "refused-scalar.npy": /array "data" is a scalar; its first axis must be the rows/,
  "refused-complex.npy": /element type "<c8" is not one of/,
  "refused-nulls.parquet": /column "a" is null in row 2 of its row group/,
  "refused-text.parquet": /column "species" holds text or bytes/,
  "refused-list.parquet": /column "image" is nested/,
  "refused-struct.parquet": /column "point" is nested/,
  "refused-date.parquet": /column "day" holds DATE/,
  "refused-decimal.parquet": /column "price" holds DECIMAL/,
};

it.each(readdirSync(GOLDENS).filter((file) => file.startsWith("refused-")))(
  "%s says why not",
  async (file) => {
    expect(await refusal(golden(file))).toMatch(REFUSED[file] ?? /^no refusal is expected/);
  },
);

it("a column that is not chosen does not matter", async () => {
  const { fields } = await readAll(golden("refused-text.parquet"), { fields: parseFields("a") });
  expect(fields.map(({ name }) => name)).toEqual(["a"]);
});

it("columns of two types in one field need a type", async () => {
  const options = { fields: parseFields("x:int*") };
  expect(await refusal(golden("snappy.parquet"), options)).toMatch(
    /field "x" has columns of two types, "int8" int8 and "int16" int16; say dtype=x:float32/,
  );
  const narrow = { ...options, types: parseTypes("int8") };
  expect(await refusal(golden("snappy.parquet"), narrow)).toMatch(
    /column "int16": -?\d+ is outside int8 \(-128 to 127\)/,
  );
});
