import { expect, it } from "vitest";

import { entryValues, makeLayout } from "../../../src/train/layout.ts";

const part = (name: string, dims: number[]) => ({ name, dims, gradient: `${name}.gradient` });

it("entries follow one another, parameters before buffers", () => {
  const layout = makeLayout([part("a", [2, 3]), part("b", [])], [part("mean", [4])]);
  expect(layout.entries.map(({ offset, length, kind }) => [offset, length, kind])).toEqual([
    [0, 6, "parameter"],
    [6, 1, "parameter"],
    [7, 4, "buffer"],
  ]);
  expect(layout).toMatchObject({ parameters: 7, length: 11 });
});

it("buckets hold whole parameters, all of them, and are closed when they are full", () => {
  const parts = [part("a", [3]), part("b", [4]), part("c", [10]), part("d", [1])];
  const { buckets } = makeLayout(parts, [part("mean", [50])], 6);
  expect(buckets).toEqual([
    { start: 0, end: 7 },
    { start: 7, end: 17 },
    { start: 17, end: 18 },
  ]);
  expect(makeLayout([], [part("mean", [2])])).toMatchObject({ buckets: [], parameters: 0 });
});

it("an entry's values are a view of the vector", () => {
  const layout = makeLayout([part("a", [2]), part("b", [3])], []);
  const vector = new Float32Array(layout.length);
  const [, b] = layout.entries;
  if (!b) throw new Error("no entry");
  entryValues(vector, b).fill(7);
  expect([...vector]).toEqual([0, 0, 7, 7, 7]);
});
