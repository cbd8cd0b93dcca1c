import { describe, expect, test } from "vitest";
import { type PruneOptions, pruneSettings } from "../../../src/prune/options.ts";
import { pruneOne } from "./models.ts";

describe("options out of range are named with what they can be", () => {
  test.each([
    [{ method: "l1_unstructred" }, 'method "l1_unstructred" is none of'],
    [{ amount: -0.1 }, "amount is -0.1, not a fraction from 0 to 1 or a whole number"],
    [{ amount: 1.5 }, "amount is 1.5"],
    [{ amount: NaN }, "amount is null"],
    [{ amount: "0.5" }, 'amount is "0.5"'],
    [{ amount: { count: 0.5 } }, 'amount is {"count":0.5}'],
    [{ amounts: { fc: 2.5 } }, 'amounts["fc"] is 2.5'],
    [{ method: "n_m", amounts: { fc: 0.5 } }, "n_m takes no amounts by layer"],
    [{ n: "nuc" }, 'n is "nuc", not a number, inf, -inf or fro'],
    [{ dim: 0.5 }, "dim is 0.5, not an axis, output or input"],
    [{ pattern: "4:2" }, 'pattern "4:2" is not N:M with 0 ≤ N < M ≤ 256'],
    [{ pattern: "2:512" }, 'pattern "2:512"'],
    [{ pattern: "2/4" }, 'pattern "2/4"'],
    [{ seed: -1 }, "seed is -1, not a whole number from 0 to 2^53 - 1"],
    [{ seed: 0.5 }, "seed is 0.5"],
    [{ storage: "csr" }, 'storage "csr" is neither dense nor sparse'],
  ])("%j", (options, message) => {
    expect(() => pruneSettings(options as PruneOptions)).toThrow(message);
  });

  test("a count larger than the tensor names it", async () => {
    await expect(pruneOne([1, 2, 3, 4], [2, 2], { amount: 5 })).rejects.toThrow(
      'prune: amount 5 is more than the 4 of "w"',
    );
    await expect(
      pruneOne([1, 2, 3, 4], [2, 2], { method: "ln_structured", amount: 3 }),
    ).rejects.toThrow('prune: amount 3 is more than the 2 of "w"');
  });

  test("op types without weights, and names that are not there", async () => {
    await expect(pruneOne([1], [1, 1], { op_types: ["Relu"] })).rejects.toThrow(
      '"Relu" has no weights to prune; op_types can be Conv',
    );
    await expect(pruneOne([1], [1, 1], { op_types: ["Conv"] })).rejects.toThrow(
      'the model has no op type "Conv"; nearest: "Gemm"',
    );
    await expect(pruneOne([1], [1, 1], { nodes_to_exclude: ["w_nod"] })).rejects.toThrow(
      'the model has no node "w_nod"; nearest: "w_node"',
    );
  });
});

test("defaults are torch's method on half of each weight", () => {
  expect(pruneSettings({})).toMatchObject({
    method: "l1_unstructured",
    amount: 0.5,
    order: 2,
    dim: "output",
    keep: 2,
    group: 4,
    seed: 0,
    sparse: false,
  });
});
