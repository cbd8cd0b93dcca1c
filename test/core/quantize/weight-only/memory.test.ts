import { describe, expect, test } from "vitest";
import { makeInt } from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import {
  ComputedData,
  RangeData,
  readAll,
  type TensorData,
} from "../../../../src/onnx/tensor-data.ts";
import {
  quantizeWeightOnly,
  type WeightOnlyOptions,
} from "../../../../src/quantize/weight-only.ts";
import { eachBand, type Matrix } from "../../../../src/quantize/weight-only/matrix.ts";
import { model, uniform, valueInfo } from "../../runtime/models.ts";
import { newArena } from "./running.ts";

/** 6 MB: more than one chunk of 4 MiB. */
const K = 250;
const N = 6000;
const values = new Uint8Array(uniform(K * N, 1, 9).buffer);
const MIB = 1 << 20;

/** Counts reads: their number is what a remote source costs. */
class CountingSource extends MemorySource {
  reads = 0;
  override async read(offset: number, into: Uint8Array): Promise<void> {
    this.reads++;
    await super.read(offset, into);
  }
}

const stored = (source = new MemorySource(values)): TensorData =>
  new RangeData(source, 0, source.size);

/** Data that has no random access, in chunks of an awkward size. */
const streamed = (): TensorData =>
  new ComputedData(values.length, async (sink) => {
    for (let at = 0; at < values.length; at += 77_777)
      await sink.write(values.subarray(at, at + 77_777));
  });

function product(data: TensorData, transposed: boolean): Model {
  const weight = makeTensor("w", DataType.float32, transposed ? [N, K] : [K, N], data);
  const node = makeNode("Gemm", ["x", "w"], ["y"], {
    attributes: [makeInt("transB", transposed ? 1 : 0)],
  });
  const x = valueInfo("x", DataType.float32, [1, K]);
  return model([node], [x], [valueInfo("y", DataType.float32)], [weight], 21);
}

/** The new tensors by name, computed in the order of the file, or in the reverse order. */
async function tensors(
  result: Model,
  options: WeightOnlyOptions,
  arenaBytes = 24 * MIB,
  reverse = false,
): Promise<Map<string, Uint8Array>> {
  const { changed } = await quantizeWeightOnly(result, options, await newArena(arenaBytes));
  expect(changed.map(({ method }) => method)).toEqual([expect.stringContaining("blocks")]);
  const order = [...result.graph.initializers];
  if (reverse) order.reverse();
  const found: [string, Uint8Array][] = [];
  for (const [name, { data }] of order) found.push([name, (await readAll(data)).slice()]);
  return new Map(reverse ? found.reverse() : found);
}

interface Case {
  title: string;
  options: WeightOnlyOptions;
  transposed: boolean;
  /** Scratch that is too small for the whole matrix. */
  small: number;
}

const cases: Case[] = [
  {
    title: "4 bits, [K, N]",
    options: { bits: 4, block_size: 256 },
    transposed: false,
    small: 4.6 * MIB,
  },
  {
    title: "8 bits, [K, N]",
    options: { bits: 8, block_size: 128 },
    transposed: false,
    small: 4.6 * MIB,
  },
  { title: "4 bits, [N, K]", options: { bits: 4 }, transposed: true, small: 10 * MIB },
  {
    title: "2 bits, [N, K]",
    options: { bits: 2, block_size: 64 },
    transposed: true,
    small: 10 * MIB,
  },
  {
    title: "QDQ, [K, N]",
    options: { bits: 4, block_size: 16, quant_format: "QDQ" },
    transposed: false,
    small: 6 * MIB,
  },
  {
    title: "QDQ, [N, K]",
    options: { bits: 4, quant_format: "QDQ" },
    transposed: true,
    small: 7 * MIB,
  },
  { title: "NF4, [K, N]", options: { algorithm: "bnb4" }, transposed: false, small: 10 * MIB },
  { title: "NF4, [N, K]", options: { algorithm: "bnb4" }, transposed: true, small: 7 * MIB },
];

describe.each(cases)("$title", ({ options, transposed, small }) => {
  test("the bytes depend neither on scratch memory, nor on the source, nor on the order of writing", async () => {
    const expected = await tensors(product(stored(), transposed), options);
    expect(expected.size).toBeGreaterThanOrEqual(2);
    const others = {
      small: await tensors(product(stored(), transposed), options, small),
      streamed: await tensors(product(streamed(), transposed), options),
      "streamed, less memory": await tensors(product(streamed(), transposed), options, 18 * MIB),
      "scales first": await tensors(product(stored(), transposed), options, undefined, true),
    };
    for (const [name, other] of Object.entries(others)) {
      expect([...other.keys()], name).toEqual([...expected.keys()]);
      for (const [key, bytes] of other) {
        expect(
          Buffer.compare(bytes, expected.get(key) ?? new Uint8Array()),
          `${name}: ${key}`,
        ).toBe(0);
      }
    }
  });
});

test("a stored matrix is read twice, once to look for NaN and once to pack, in pieces that are worth a read", async () => {
  const source = new CountingSource(values);
  await tensors(product(stored(source), false), { bits: 4 });
  const looked = Math.ceil(values.length / (4 * MIB));
  const packed = Math.ceil(values.length / (MIB / 4));
  expect(source.reads).toBeLessThanOrEqual(looked + packed);
});

test("scales and zero points of two weights that are written in turns are right", async () => {
  const node = (w: string, y: string) => makeNode("MatMul", ["x", w], [y]);
  const weight = (name: string) => makeTensor(name, DataType.float32, [K, N], stored());
  const infos = [valueInfo("y", DataType.float32), valueInfo("z", DataType.float32)];
  const both = model(
    [node("w", "y"), node("v", "z")],
    [valueInfo("x", DataType.float32, [1, K])],
    infos,
    [weight("w"), weight("v")],
    21,
  );
  await quantizeWeightOnly(both, { bits: 4 }, await newArena());
  const of = async (name: string): Promise<Uint8Array> => {
    const tensor = both.graph.initializers.get(name);
    return tensor ? (await readAll(tensor.data)).slice() : new Uint8Array();
  };
  const order = [
    "w_Q4",
    "v_Q4",
    "w_scales",
    "v_scales",
    "w_zero_points",
    "v_zero_points",
    "w_scales",
  ];
  const got = new Map<string, Uint8Array>();
  for (const name of order) got.set(name, await of(name));
  for (const suffix of ["_Q4", "_scales", "_zero_points"]) {
    expect(Buffer.compare(got.get(`w${suffix}`)!, got.get(`v${suffix}`)!)).toBe(0);
    expect(got.get(`w${suffix}`)!.some((byte) => byte !== 0)).toBe(true);
  }
});

test("HQQ fits the same from a file and from a stream", async () => {
  const options: WeightOnlyOptions = { algorithm: "hqq", block_size: 64 };
  const small = (data: TensorData): Model => {
    const weight = makeTensor("w", DataType.float32, [K, 60], data);
    const node = makeNode("MatMul", ["x", "w"], ["y"]);
    return model(
      [node],
      [valueInfo("x", DataType.float32, [1, K])],
      [valueInfo("y", DataType.float32)],
      [weight],
      21,
    );
  };
  const bytes = values.subarray(0, K * 60 * 4);
  const stream = new ComputedData(bytes.length, async (sink) => {
    for (let at = 0; at < bytes.length; at += 7777) await sink.write(bytes.subarray(at, at + 7777));
  });
  const direct = await tensors(
    small(new RangeData(new MemorySource(bytes), 0, bytes.length)),
    options,
  );
  expect(await tensors(small(stream), options)).toEqual(direct);
});

test.each([
  ["whole rows", 600, 1],
  ["a few columns, row by row", 16, 40],
  ["many columns, out of all that is read in order", 250, 3],
])("bands of a matrix: %s", async (_, count, mostReads) => {
  const [rows, columns, bandRows] = [40, 600, 16];
  const all = uniform(rows * columns, 1, 4);
  const source = new CountingSource(new Uint8Array(all.buffer));
  const tensor = makeTensor("w", DataType.float32, [rows, columns], stored(source));
  const matrix: Matrix = { tensor, rows, columns, transposed: false };
  const arena = await newArena();
  const pointer = arena.allocate(bandRows * count * 4);
  for (let from = 0; from < columns; from += count) {
    const panel = { from, count: Math.min(count, columns - from), bandRows, pointer };
    const seen: number[] = [];
    source.reads = 0;
    await eachBand(matrix, arena, panel, (firstRow, bandCount) => {
      const band = arena.float32(pointer, bandCount * panel.count);
      const expected = Array.from(band, (__, i) => {
        const row = firstRow + Math.floor(i / panel.count);
        return all[row * columns + from + (i % panel.count)] ?? NaN;
      });
      expect([...band]).toEqual(expected);
      seen.push(firstRow, bandCount);
    });
    expect(seen).toEqual([0, 16, 16, 16, 32, 8]);
    expect(source.reads).toBeLessThanOrEqual(Math.max(mostReads, 3));
  }
});
