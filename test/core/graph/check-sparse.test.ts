/** @file Sparse initializers with indices that ONNX Runtime would follow anywhere. */
import { describe, expect, it } from "vitest";
import { checkSparse } from "../../../src/graph/check-sparse.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { chunk, int, model, raw, tensor, text } from "../onnx/bytes.ts";

function int64s(values: readonly number[]): number[] {
  return [...new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer)];
}

/** A model whose weight is sparse, [2, 3], with as many ones as there are indices. */
async function withIndices(dims: number[], values: number[]) {
  const count = dims[0] ?? 0;
  const ones = tensor("w", [count], chunk(9, raw(Array.from({ length: count }, () => 1))));
  const indices = [
    ...dims.flatMap((dim) => int(1, dim)),
    ...int(2, 7),
    ...text(8, "i"),
    ...chunk(9, int64s(values)),
  ];
  const sparse = [...chunk(1, ones), ...chunk(2, indices), ...int(3, 2), ...int(3, 3)];
  return await readModel(new MemorySource(model({ initializers: [], graph: chunk(15, sparse) })));
}

describe("sparse initializers", () => {
  it("with ascending indices inside the tensor are valid, in both forms", async () => {
    await checkSparse(await withIndices([3], [0, 2, 5]));
    await checkSparse(await withIndices([2, 2], [0, 2, 1, 0]));
    await checkSparse(await withIndices([0], []));
  });

  it.each([
    ["past the end", [2], [0, 6], /index 1 .*"w" is 6, outside of dims \[2,3\]/],
    ["negative", [1], [-1], /index 0 .* is -1, outside/],
    ["beyond 2^53", [1], [2 ** 60], /outside/],
    ["twice the same", [2], [4, 4], /index 1 .* does not come after/],
    ["descending", [2], [4, 1], /does not come after/],
    ["a coordinate past its axis", [1, 2], [0, 3], /is 3, outside/],
    ["descending coordinates", [2, 2], [1, 0, 0, 2], /does not come after/],
  ])("%s is invalid", async (_name, dims, values, message) => {
    await expect(checkSparse(await withIndices(dims, values))).rejects.toThrow(message);
  });
});
