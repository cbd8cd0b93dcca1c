import { describe, expect, it } from "vitest";
import { fieldElements } from "../../../src/data/numbers.ts";
import { parseFields, parseTypes } from "../../../src/data/field-spec.ts";
import { rowValues } from "../../../src/data/row-values.ts";
import type { ReadOptions } from "../../../src/data/read-dataset.ts";
import { groupsOfSinks } from "../../../src/data/plan.ts";
import { readAll, refusal } from "./reading.ts";

/** Types and values by field. */
async function read(text: string, options: Partial<ReadOptions> = {}) {
  const { fields } = await readAll(text, options);
  return Object.fromEntries(
    fields.map((field) => [field.name, [field.dtype, rowValues(field, field.bytes)]]),
  );
}

describe("types that are not given", () => {
  it("whole numbers become the narrowest type that holds them", async () => {
    const text = "a,b,c,d,e\n0,-1,40000,3000000000,1.5\n255,200,-40000,0,2\n";
    expect(await read(text)).toEqual({
      a: ["uint8", [0, 255]],
      b: ["int16", [-1, 200]],
      c: ["int32", [40000, -40000]],
      d: ["int64", [3000000000, 0]],
      e: ["float32", [1.5, 2]],
    });
  });

  it("one cell with a fraction far down makes a field of floats", async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => (i === 29_999 ? "0.5" : String(i % 7)));
    const { fields } = await readAll(`x\n${rows.join("\n")}`);
    expect(fields[0]?.dtype).toBe("float32");
    expect(fieldElements("float32", fields[0]?.bytes ?? new Uint8Array())[29_999]).toBe(0.5);
  });

  it("what float32 does not hold is refused, not made infinite", async () => {
    expect(await refusal("x\n1e39\n")).toMatch(/"x" has a value of 1e\+39, beyond float32/);
    expect(await read("x\n1e39\n", { types: parseTypes("float64") })).toEqual({
      x: ["float64", [1e39]],
    });
  });
});

describe("the first line", () => {
  it("is a header unless all its cells are numbers", async () => {
    expect(Object.keys(await read("a,b2\n1,2\n"))).toEqual(["a", "b2"]);
    expect(await read("5,1\n1,2\n")).toEqual({
      column_1: ["uint8", [5, 1]],
      column_2: ["uint8", [1, 2]],
    });
    expect(Object.keys(await read("1,5\n1,2\n", { header: true }))).toEqual(["1", "5"]);
    expect(await refusal("a,b\n1,2\n", { header: false })).toMatch(
      /line 1, column 1 \("column_1"\)/,
    );
  });

  it("says what the delimiter is", async () => {
    for (const delimiter of [",", ";", "\t", "|"]) {
      const text = ["a", "b", "c"].join(delimiter) + "\n" + ["1", "2", "3"].join(delimiter);
      expect(Object.keys(await read(text))).toEqual(["a", "b", "c"]);
    }
    expect(Object.keys(await read('"a,b";c\n1;2\n'))).toEqual(["a,b", "c"]);
    expect(await read("a b\n1 2\n", { delimiter: " " })).toHaveProperty("b");
  });

  it("has no name twice, and names columns that have none by their place", async () => {
    expect(await refusal("a,b,a\n1,2,3\n")).toMatch(/two columns are named "a"/);
    expect(Object.keys(await read(",b\n0,1\n"))).toEqual(["column_1", "b"]);
  });
});

describe("cells", () => {
  it("are quoted, padded, signed; lines end in any way; a BOM is no name", async () => {
    const wanted = { a: ["float32", [-1.5, 2000]], b: ["uint8", [3, 4]] };
    expect(await read('\ufeffa,b\n"-1.5", 3 \n+2e3,"4"\n')).toEqual(wanted);
    expect(await read("a,b\r\n-1.5,3\r\n2e3,4\r\n")).toEqual(wanted);
    expect(await read("a,b\r-1.5,3\r2e3,4")).toEqual(wanted);
    expect(await read('"a","b"\r\n"-1.5","3"\r\n"2e3","4"')).toEqual(wanted);
    expect(await read("a,b\n\n-1.5,3\n\n2e3,4\n\n")).toEqual(wanted);
  });

  it("NaN and infinities are kept in floats, and refused in integers", async () => {
    const text = "x\nnan\n-Infinity\nINF\n";
    expect(await read(text)).toEqual({ x: ["float32", ["NaN", "-Infinity", "Infinity"]] });
    expect(await refusal(text, { types: parseTypes("int32") })).toMatch(
      /line 2, column 1 \("x"\): NaN is not a whole number, the field is int32/,
    );
  });

  it("64-bit integers are exact", async () => {
    const text = "a,b\n9223372036854775807,18446744073709551615\n-9223372036854775808,0\n";
    expect(await read(text, { types: parseTypes("a:int64,b:uint64") })).toEqual({
      a: ["int64", ["9223372036854775807", "-9223372036854775808"]],
      b: ["uint64", ["18446744073709551615", 0]],
    });
    expect(await refusal("a\n9223372036854775808\n", { types: parseTypes("int64") })).toMatch(
      /line 2, column 1 \("a"\): 9223372036854775808 is outside int64/,
    );
    expect(await refusal(`a\n${"9".repeat(100_000)}\n`, { types: parseTypes("int64") })).toMatch(
      /a number of 100000 characters is outside int64/,
    );
  });

  it("booleans are words or digits where that is said", async () => {
    const options = { types: parseTypes("bool") };
    expect(await read("x\nTrue\nfalse\n1\n0\n", options)).toEqual({
      x: ["bool", [true, false, true, false]],
    });
    expect(await refusal("x\nyes\n", options)).toMatch(/"yes" is not true, false, 1 or 0/);
    expect(await refusal("x\nTrue\n")).toMatch(/"True" is not a number/);
  });

  it.each([
    ["a,b\n1,2\n3,\n", /line 3, column 2 \("b"\): the cell is empty/],
    ["a,b\n1,2\n3,0x10\n", /line 3, column 2 \("b"\): "0x10" is not a number/],
    ["a,b\n1,2\n3,1_000\n", /"1_000" is not a number/],
    ["a,b\n1,2\n\n3,x\n", /line 4, column 2/],
    ['a,b\n"1\n",2\n3,x\n', /line 4, column 2/],
    ["a,b\n1,2\n3,4,5\n", /line 3 has 3 cells, the first line 2/],
    ['a,b\n1,"2\n3,4\n', /line 2: a quoted cell is not closed/],
    ['a,b\n1,2\n"3"x,4\n', /line 3: a quote is misplaced/],
    ["a\n1\n\n2\n", /line 3: the cell is empty/],
    ["a,b\n", /no rows/],
    ["\n\n", /no rows/],
    ["a,b\n1,1e999\n", /"1e999" is not a number/],
  ])("%j says where", async (text, message) => {
    expect(await refusal(text)).toMatch(message);
  });

  it("the line is right far down, with line breaks within cells", async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) =>
      i % 1000 === 0 ? `"${i}\n",1` : `${i},1`,
    );
    rows.push("cat,1");
    // The header, 40,000 rows and 40 breaks in cells come before it.
    expect(await refusal(`a,b\n${rows.join("\n")}\n`)).toMatch(
      /line 40042, column 1 \("a"\): "cat"/,
    );
  });

  it("text that is not UTF-8 is refused with about its line", async () => {
    const bytes = new Uint8Array([
      ...new TextEncoder().encode("a\n".padEnd(5000, "1\n")),
      0xff,
      10,
    ]);
    expect(await refusal(bytes)).toMatch(/not UTF-8, at or after line/);
  });
});

describe("fields", () => {
  it("group columns in the file's order, repeat, and take a shape", async () => {
    const text = "y,p2,p1,q\n0,1,2,9\n1,3,4,8\n";
    const options = { fields: parseFields("x[1x2]:p*,both:q,both:y,y") };
    const { fields } = await readAll(text, options);
    expect(fields.map(({ name, shape }) => [name, shape])).toEqual([
      ["x", [1, 2]],
      ["both", [2]],
      ["y", []],
    ]);
    expect(await read(text, options)).toMatchObject({
      x: ["uint8", [[[1, 2]], [[3, 4]]]],
      both: [
        "uint8",
        [
          [9, 0],
          [8, 1],
        ],
      ],
    });
  });

  it.each([
    ["x:z*", /no column is named "z\*"; there are "a", "b"/],
    ["x[3]:*", /"x" is to be \[3\], 3 elements, but has 2 columns/],
    ["x:", /"x:" does not read as NAME/],
    ["a,,b", /has an empty entry/],
    ["x[2,1]:*", /does not read/],
  ])("%s says what is wrong", async (fields, message) => {
    const text = "a,b\n1,2\n";
    const outcome = async () => await readAll(text, { fields: parseFields(fields) });
    await expect(outcome()).rejects.toThrow(message);
  });

  it("types are known, and name fields that are there", async () => {
    expect(() => parseTypes("x:int4")).toThrow('"x:int4" does not end in one of float32');
    expect(await refusal("a\n1\n", { types: parseTypes("b:int8") })).toMatch(
      /dtype names "b", which is no field/,
    );
  });

  it("a pattern of many stars takes no time", async () => {
    const specs = parseFields(`x:${"*a".repeat(100)}*b`);
    expect(await refusal(`${"a".repeat(20_000)}\n1\n`, { fields: specs })).toMatch(/no column/);
  });

  it("more columns than fields are refused with a way out", async () => {
    const names = Array.from({ length: 65 }, (_, i) => `c${i}`).join(",");
    expect(await refusal(`${names}\n${"1,".repeat(64)}1\n`)).toMatch(
      /^dataset_too_large: fields: the table has 65 columns.*group columns/,
    );
  });
});

it("fields whose sinks fit memory together share a pass", () => {
  expect(groupsOfSinks([1000, 2000, 3000])).toEqual([[0, 1, 2]]);
  expect(groupsOfSinks([1e9, 1e9, 10, 1e9, 1e9])).toEqual([
    [0, 1, 2],
    [3, 4],
  ]);
  expect(groupsOfSinks(Array.from({ length: 64 }, () => 2 ** 20))).toHaveLength(1);
});
