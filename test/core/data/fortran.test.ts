import { expect, it } from "vitest";
import { rowMajor } from "../../../src/data/npz/npy-header.ts";
import { writeRowMajor } from "../../../src/data/npz/fortran.ts";

/** Chunks of sizes that cut elements. */
async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it.each([
  [[7, 4, 3], 2],
  [[5], 8],
  [[1, 6], 4],
  [[9, 1, 2, 2], 1],
  [[64, 33], 4],
])("an array of %j is transposed in blocks as it is in memory", async (dims, size) => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const bytes = Uint8Array.from({ length: count * size }, (_, i) => (i * 37) % 251);
  for (const blockBytes of [1, 100, 1 << 20]) {
    const out: number[] = [];
    const write = (block: Uint8Array) => void out.push(...block);
    await writeRowMajor(() => chunked(bytes, 13), dims, size, { write }, blockBytes);
    expect(Uint8Array.from(out)).toEqual(rowMajor(bytes, dims));
  }
});
