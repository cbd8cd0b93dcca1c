/** @file Convolutions, pools and resizing against torch's gradients, in the formulations of every target. */
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import type { Target } from "../../../src/autodiff/rule.ts";
import { makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { float32, model, uniform, valueInfo } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";
import { holdGoldens } from "./hold-goldens.ts";

holdGoldens("spatial.json");

/** The gradient of Σ conv(x)·cotangent with respect to x: 64 channels of 15×14, two outputs of 14×14. */
async function inputGradient(target: Target): Promise<{ ops: string[]; values: Float32Array }> {
  const weights = new Uint8Array(uniform(2 * 64 * 2 * 3, 1, 1).buffer);
  const subject = model(
    [
      makeNode("Conv", ["x", "w"], ["y"], { attributes: [makeInts("pads", [0, 1, 0, 1])] }),
      makeNode("Mul", ["y", "cotangent"], ["product"]),
      makeNode("ReduceSum", ["product"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
    ],
    [valueInfo("x", 1, [1, 64, 15, 14]), valueInfo("cotangent", 1, [1, 2, 14, 14])],
    [valueInfo("loss", 1, [])],
    [makeTensor("w", 1, [2, 64, 2, 3], weights)],
  );
  const options = { loss: "loss", parameters: ["x"], target };
  const { model: differentiated, gradients } = await differentiate(
    await normalise(subject),
    options,
  );
  const session = await runtimes.native.load(await modelBytes(differentiated));
  const outputs = await session.run({
    x: float32([1, 64, 15, 14], uniform(64 * 15 * 14, 1, 2)),
    cotangent: float32([1, 2, 14, 14], uniform(2 * 14 * 14, 1, 3)),
  });
  await session.release();
  const gradient = outputs[gradients.get("x") ?? ""];
  if (!gradient) throw new Error("no gradient");
  const ops = differentiated.graph.nodes.map(({ opType }) => opType);
  return { ops, values: float32s(gradient) };
}

test("a large picture's gradient is the same by ConvTranspose and by a Conv turned around", async () => {
  const [wasm, native] = [await inputGradient("wasm"), await inputGradient("native")];
  expect(wasm.ops).toContain("ConvTranspose");
  expect(native.ops).not.toContain("ConvTranspose");
  expect(native.values.length).toBe(wasm.values.length);
  native.values.forEach((value, i) => expect(value).toBeCloseTo(wasm.values[i] ?? Number.NaN, 5));
});
