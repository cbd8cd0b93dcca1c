import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NarrowRows } from "../../../src/data/narrow-rows.ts";
import { MemoryRows, type RowSource } from "../../../src/data/rows.ts";
import { fieldElements } from "../../../src/data/numbers.ts";
import { rowValues } from "../../../src/data/row-values.ts";
import { ScaledRows } from "../../../src/data/scaled-rows.ts";
import { splitRows } from "../../../src/data/split.ts";

/** Rows whose two uint32 are their number and its square, and whose uint8 is its last digit. */
function numbered(rows: number): MemoryRows {
  const pair = Uint32Array.from({ length: rows * 2 }, (_, i) => (i % 2 ? (i >> 1) ** 2 : i >> 1));
  const digit = Uint8Array.from({ length: rows }, (_, i) => i % 10);
  return new MemoryRows(
    {
      rows,
      fields: [
        { name: "pair", dtype: "uint32", shape: [2] },
        { name: "digit", dtype: "uint8", shape: [] },
      ],
    },
    new Map([
      ["pair", new Uint8Array(pair.buffer)],
      ["digit", digit],
    ]),
  );
}

async function numbersOf(source: RowSource): Promise<number[]> {
  const bytes = await source.read("pair", 0, source.description.rows);
  return Array.from(fieldElements("uint32", bytes), Number).filter((_, i) => i % 2 === 0);
}

describe("rows in memory", () => {
  it("are read by range", async () => {
    const source = numbered(10);
    expect(fieldElements("uint32", await source.read("pair", 3, 5))).toEqual(
      Uint32Array.of(3, 9, 4, 16),
    );
    expect(await source.read("digit", 4, 4)).toEqual(new Uint8Array(0));
  });

  it.each([
    ["digit", -1, 2],
    ["digit", 2, 1],
    ["digit", 0, 11],
    ["digit", 0.5, 1],
    ["digits", 0, 1],
  ])("%s from %d to %d is refused", async (name, start, end) => {
    await expect(numbered(10).read(name, start, end)).rejects.toThrow(RangeError);
  });

  it("have all the bytes that their description says", () => {
    const { description } = numbered(10);
    expect(() => new MemoryRows(description, new Map())).toThrow(
      /"pair" has 0 bytes, 10 rows need 80/,
    );
  });
});

describe("a split", () => {
  it("gives every row to one part, in order, the same for the same seed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 300 }),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        fc.nat(),
        async (rows, fraction, seed) => {
          fc.pre(Math.max(1, Math.round(rows * fraction)) < rows);
          const split = splitRows(numbered(rows), fraction, seed);
          const [train, validation] = [
            await numbersOf(split.train),
            await numbersOf(split.validation),
          ];
          const increasing = (each: number[]) =>
            each.every((n, i) => i === 0 || n > (each[i - 1] ?? n));
          expect([...train, ...validation].sort((a, b) => a - b)).toEqual(
            Array.from({ length: rows }, (_, i) => i),
          );
          expect(increasing(train) && increasing(validation)).toBe(true);
          expect(validation.length).toBe(Math.max(1, Math.round(rows * fraction)));
          expect(await numbersOf(splitRows(numbered(rows), fraction, seed).train)).toEqual(train);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("reads any range of a part as the whole part has it", async () => {
    const { train } = splitRows(numbered(1000), 0.3, 7);
    const whole = await train.read("pair", 0, 700);
    for (const [start, end] of [
      [0, 1],
      [1, 700],
      [333, 420],
      [699, 700],
    ] as const) {
      expect(await train.read("pair", start, end)).toEqual(whole.slice(start * 8, end * 8));
    }
  });

  it("differs by seed, and takes as many of each class from sorted rows", async () => {
    const parts = await Promise.all(
      [1, 2].map(async (seed) => await numbersOf(splitRows(numbered(1000), 0.1, seed).validation)),
    );
    expect(parts[0]).not.toEqual(parts[1]);
    for (const part of parts) {
      // Classes of 100 rows each, one after the other.
      const classes = part.map((row) => Math.floor(row / 100));
      for (let each = 0; each < 10; each++) {
        expect(classes.filter((c) => c === each)).toHaveLength(10);
      }
    }
  });

  it("is not biased within its strata", async () => {
    const places = (await numbersOf(splitRows(numbered(20_000), 0.05, 3).validation)).map(
      (row) => row % 20,
    );
    const mean = places.reduce((sum, place) => sum + place, 0) / places.length;
    // 1,000 uniform draws from 0 … 19: mean 9.5, standard error 0.18.
    expect(Math.abs(mean - 9.5)).toBeLessThan(0.73);
    expect(new Set(places).size).toBe(20);
  });

  it("that would leave a part empty is refused", () => {
    for (const fraction of [0, 1, -1, Number.NaN, 0.99]) {
      expect(() => splitRows(numbered(10), fraction, 1)).toThrow(/leaves a part/);
    }
    expect(() => splitRows(numbered(1), 0.5, 1)).toThrow(/leaves a part/);
  });

  it("reads at most 1 MiB of the whole at a time", async () => {
    const source = numbered(1_000_000);
    let most = 0;
    const watched: RowSource = {
      description: source.description,
      read: async (name, start, end) => {
        most = Math.max(most, (end - start) * 8);
        return await source.read(name, start, end);
      },
    };
    const { validation } = splitRows(watched, 0.01, 1);
    expect((await numbersOf(validation)).length).toBe(10_000);
    expect(most).toBeLessThanOrEqual(1 << 20);
  });
});

describe("scaled rows", () => {
  it("are float32, times the factor; others stay", async () => {
    const scaled = new ScaledRows(numbered(5), new Map([["digit", 0.5]]));
    expect(scaled.description.fields.map(({ dtype }) => dtype)).toEqual(["uint32", "float32"]);
    const bytes = await scaled.read("digit", 1, 4);
    expect(fieldElements("float32", bytes)).toEqual(Float32Array.of(0.5, 1, 1.5));
    expect(await scaled.read("pair", 0, 5)).toEqual(await numbered(5).read("pair", 0, 5));
  });

  it.each([
    ["int64", new Uint8Array(BigInt64Array.of(-4n, 6n).buffer), [-1, 1.5]],
    ["bfloat16", new Uint8Array(Uint16Array.of(0x3f80, 0xc040).buffer), [0.25, -0.75]],
    ["float16", new Uint8Array(Uint16Array.of(0x3c00, 0x4000).buffer), [0.25, 0.5]],
  ] as const)("%s is read as its numbers", async (dtype, bytes, expected) => {
    const field = { name: "x", dtype, shape: [] };
    const source = new MemoryRows({ rows: 2, fields: [field] }, new Map([["x", bytes]]));
    const scaled = new ScaledRows(source, new Map([["x", 0.25]]));
    const out = fieldElements("float32", await scaled.read("x", 0, 2));
    expect(Array.from(out, Number)).toEqual(expected);
  });
});

it("rows as JSON have their shape, and text for what is no number there", () => {
  const float = { name: "x", dtype: "float32", shape: [2, 1] } as const;
  const bytes = new Uint8Array(Float32Array.of(1, -0.5, Number.NaN, -Infinity).buffer);
  expect(rowValues({ ...float, shape: [2, 1] }, bytes)).toEqual([
    [[1], [-0.5]],
    [["NaN"], ["-Infinity"]],
  ]);
  const half = { name: "x", dtype: "bfloat16" as const, shape: [] };
  expect(rowValues(half, new Uint8Array(Uint16Array.of(0x4049).buffer))).toEqual([3.140625]);
});

describe("narrow rows", () => {
  it("have integers as int32, and nothing else; what is beyond it becomes its last number", async () => {
    const wide = BigInt64Array.of(3n, -100n, 2n ** 40n + 1n, -(2n ** 40n));
    const fields = [
      ["wide", "int64"],
      ["digit", "uint8"],
      ["float", "float32"],
      ["other", "int64"],
    ] as const;
    const source = new MemoryRows(
      { rows: 4, fields: fields.map(([name, dtype]) => ({ name, dtype, shape: [] })) },
      new Map<string, Uint8Array>([
        ["wide", new Uint8Array(wide.buffer)],
        ["digit", Uint8Array.of(1, 2, 3, 255)],
        ["float", new Uint8Array(Float32Array.of(0.5, 1, 2, 3).buffer)],
        ["other", new Uint8Array(wide.buffer)],
      ]),
    );
    const narrow = new NarrowRows(source, new Set(["wide", "digit", "float"]));
    expect(narrow.description.fields.map(({ dtype }) => dtype)).toEqual([
      "int32",
      "int32",
      "float32",
      "int64",
    ]);
    const numbers = async (name: string, first = 0) =>
      Array.from(fieldElements("int32", await narrow.read(name, first, 4)) as Int32Array);
    expect(await numbers("wide", 1)).toEqual([-100, 2 ** 31 - 1, -(2 ** 31)]);
    expect(await numbers("digit")).toEqual([1, 2, 3, 255]);
    expect(await narrow.read("float", 0, 4)).toEqual(await source.read("float", 0, 4));
    expect(await narrow.read("other", 0, 4)).toEqual(await source.read("other", 0, 4));
  });
});
