/** @file LSTM, GRU and RNN, unrolled, against torch's gradients. */
import { describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Attribute, Dimension, Model } from "../../../src/onnx/model.ts";
import { model, valueInfo } from "../runtime/models.ts";
import { holdGoldens } from "./hold-goldens.ts";

holdGoldens("recurrent.json");

describe("what cannot be unrolled is an error that names the node", () => {
  const weights = (name: string, dims: number[]): ReturnType<typeof makeTensor> =>
    makeTensor(name, 1, dims, new Uint8Array(dims.reduce((a, b) => a * b, 4)));

  async function unroll(
    inputs: string[],
    x: Dimension[],
    attributes: Attribute[] = [],
  ): Promise<Model> {
    const node = makeNode("RNN", inputs, ["y"], {
      name: "memory",
      attributes: [makeInt("hidden_size", 2), ...attributes],
    });
    const sum = makeNode("ReduceSum", ["y"], ["loss"], { attributes: [makeInt("keepdims", 0)] });
    const subject = model(
      [node, sum],
      [valueInfo("x", 1, x), valueInfo("lengths", 6, [3])],
      [valueInfo("loss", 1, [])],
      [weights("w", [1, 2, 4]), weights("r", [1, 2, 2])],
    );
    const options = { loss: "loss", parameters: ["w"] };
    return (await differentiate(await normalise(subject), options)).model;
  }

  test("sequences of a length that is not known", async () => {
    await expect(unroll(["x", "w", "r"], ["time", 3, 4])).rejects.toThrow(
      'autodiff: RNN "memory": the length of its sequences is not known',
    );
  });

  test("lengths that differ from run to run", async () => {
    await expect(unroll(["x", "w", "r", "", "lengths"], [5, 3, 4])).rejects.toThrow(
      'autodiff: RNN "memory": it has sequence_lens, which have no gradient rule',
    );
  });

  test("an activation that is not among the usual ones", async () => {
    const softsign = {
      name: "activations",
      type: "strings" as const,
      value: [Buffer.from("Softsign")],
    };
    await expect(unroll(["x", "w", "r"], [5, 3, 4], [softsign])).rejects.toThrow(
      "its activation Softsign has no gradient rule",
    );
  });
});
