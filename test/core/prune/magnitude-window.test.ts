import { expect, test } from "vitest";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Tensor } from "../../../src/onnx/model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { RangeData } from "../../../src/onnx/tensor-data.ts";
import { MagnitudeCounts } from "../../../src/prune/magnitude-counts.ts";
import { magnitudeInWindow } from "../../../src/prune/magnitude-window.ts";
import { SharedTies } from "../../../src/prune/shared-ties.ts";
import { makeArena, noise } from "./models.ts";

const arena = await makeArena();
const LARGE = 5 << 20;

function tensor(values: Float32Array, jumps = true): Tensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const memory = new MemorySource(bytes);
  const source = jumps
    ? memory
    : {
        size: memory.size,
        read: async (offset: number, into: Uint8Array) => await memory.read(offset, into),
      };
  return {
    name: "w",
    dataType: DataType.float32,
    dims: [values.length],
    data: new RangeData(source, 0, bytes.length),
  };
}

async function counted(tensors: readonly Tensor[], rank: number) {
  const mark = arena.mark();
  const counts = new MagnitudeCounts(arena);
  for (const each of tensors) await counts.add(each);
  const found = await counts.ranked(rank);
  arena.release(mark);
  return found;
}

/** Bell-shaped, of another scale in each weight. */
function weights(): Tensor[] {
  return [LARGE, 3000, 70_000].map((count, k) =>
    tensor(noise(count, k + 1).map((value) => value * (k + 1))),
  );
}

test("one read finds the magnitude that two histograms find", async () => {
  const tensors = weights();
  for (const rank of [1_000_000, 2_600_000, 5_000_000]) {
    expect(await magnitudeInWindow(tensors, rank, arena)).toEqual(await counted(tensors, rank));
  }
});

test("a weight that the sample does not show is found out", async () => {
  // one value in 4 M is small, and it is the one wanted
  const values = new Float32Array(LARGE).fill(1);
  values[5000] = 0.5;
  expect(await magnitudeInWindow([tensor(values)], 1, arena)).toBeUndefined();
});

test("NaN, Inf, short weights and sources of slow jumps are left to two reads", async () => {
  const values = noise(LARGE, 1);
  expect(await magnitudeInWindow([tensor(values.slice(0, 1000))], 500, arena)).toBeUndefined();
  expect(await magnitudeInWindow([tensor(values, false)], 500, arena)).toBeUndefined();
  for (const bad of [NaN, Infinity]) {
    values[LARGE - 3] = bad;
    expect(await magnitudeInWindow([tensor(values)], LARGE / 2, arena)).toBeUndefined();
  }
});

test("shared ties go to the first weights in whatever order they are written", async () => {
  const tensors = [2, 3, 4].map((count) => tensor(new Float32Array(count).fill(1)));
  const threshold = { bits: 0x3f800000, equal: 9, ties: 4 };
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 1, 0],
  ]) {
    const ties = new SharedTies(tensors, threshold);
    const zeroed: number[] = [];
    for (const index of order) {
      const mask = ties.mask(index);
      await mask.prepare?.(arena);
      const mark = arena.mark();
      const count = index + 2;
      const pointer = arena.allocate(count * 4);
      arena.float32(pointer, count).fill(1);
      mask.begin(arena, count)(pointer, count);
      zeroed[index] = arena.float32(pointer, count).filter((value) => value === 0).length;
      arena.release(mark);
    }
    const expected = [2, 2, 0];
    zeroed.forEach((found, index) => expect(found).toBe(expected[index]));
  }
});
