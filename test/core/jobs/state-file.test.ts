import fc from "fast-check";
import { expect, it } from "vitest";
import { readState, stateBytes, stateChunks } from "../../../src/jobs/training/state-file.ts";
import type { StateEntry } from "../../../src/train/replica.ts";

const entry: fc.Arbitrary<StateEntry> = fc.record({
  name: fc.string({ minLength: 1, maxLength: 20 }),
  kind: fc.constantFrom("shared", "local", "feedback"),
  rank: fc.nat(63),
  start: fc.nat(1_000_000),
  values: fc.float32Array({ maxLength: 200, noNaN: true }),
});

async function all(chunks: Iterable<Uint8Array>): Promise<StateEntry[]> {
  const entries: StateEntry[] = [];
  for await (const each of readState(chunks)) entries.push(each);
  return entries;
}

it("what was written is read, however the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 6 }),
      fc.integer({ min: 1, max: 500 }),
      async (entries, chunkBytes) => {
        const chunks = [...stateChunks(entries, chunkBytes)];
        expect(chunks.every(({ length }) => length <= chunkBytes)).toBe(true);
        expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBe(stateBytes(entries));
        expect(await all(chunks)).toEqual(entries);
      },
    ),
  );
});

const some: StateEntry[] = [
  { name: "vector", kind: "shared", rank: 0, start: 0, values: new Float32Array([1, 2, 3]) },
];

it("a file that ends early is refused", async () => {
  const [head, values] = [...stateChunks(some, 1 << 20)];
  if (!head || !values) expect.fail();
  await expect(all([head, values.subarray(0, 11)])).rejects.toThrow(/ends 1 bytes early/);
  await expect(all([head.subarray(0, 3)])).rejects.toThrow(RangeError);
  await expect(all([])).rejects.toThrow(/ends 4 bytes early/);
});

it("a header that claims too much is refused before anything is allocated", async () => {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, 0xffff_ffff, true);
  await expect(all([head])).rejects.toThrow(/4294967295 bytes, 1048576 at most/);
});
